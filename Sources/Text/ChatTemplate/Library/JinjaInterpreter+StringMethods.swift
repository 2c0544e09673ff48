// JinjaInterpreter+StringMethods: the methods of Python's str.

extension JinjaInterpreter {
    /// Calls a method of a string; of one marked safe, the result is marked safe as well.
    func call(
        _ method: PythonMethod, ofText text: String, isMarkup: Bool, _ arguments: RenderArguments
    ) throws -> RenderValue {
        switch method {
        case .startswith, .endswith, .removeprefix, .removesuffix, .strip, .lstrip, .rstrip, .isascii:
            try budget.scan(text)
        case .split, .rsplit, .splitlines, .replace, .find, .rfind, .index, .rindex, .count, .partition, .rpartition:
            try budget.search(text)
        default: try budget.walk(text)
        }
        var reader = ArgumentReader("str.\(method.rawValue)", arguments)
        let result = try callStringMethod(method, text, isMarkup: isMarkup, &reader)
        return isMarkup ? try markedSafe(result) : result
    }

    private func markedSafe(_ value: RenderValue) throws -> RenderValue {
        switch value {
        case .string(let text): .markup(text)
        case .list(let list): try budget.list(try list.elements.map(markedSafe))
        case .tuple(let tuple): try budget.tuple(try tuple.elements.map(markedSafe))
        default: value
        }
    }

    private func made(_ text: String) throws -> RenderValue {
        try budget.allocateString(text.utf8.count)
        return .string(text)
    }

    private func callStringMethod(
        _ method: PythonMethod, _ text: String, isMarkup: Bool, _ reader: inout ArgumentReader
    ) throws -> RenderValue {
        switch method {
        case .strip, .lstrip, .rstrip:
            let characters = try reader.optionalString("chars")
            try reader.finish()
            if let characters {
                try budget.walk(characters)
                try budget.walk(text)
            }
            return try made(
                PythonText.strip(text, characters, left: method != .rstrip, right: method != .lstrip))
        case .split, .rsplit: return try split(text, fromRight: method == .rsplit, &reader)
        case .splitlines:
            let keepEnds = try reader.flag("keepends")
            try reader.finish()
            try budget.allocateValues(PythonText.partsMax(text))
            return try budget.strings(PythonText.lines(text, keepEnds: keepEnds))
        case .startswith, .endswith: return try startsOrEnds(text, method, &reader)
        case .replace:
            let (old, new) = (try reader.requiredString("old"), try reader.requiredString("new"))
            let count = try reader.optionalInteger("count") ?? -1
            try reader.finish()
            return .string(
                try replace(text, old, isMarkup ? try escapedForHTML(new) : new, countMax: count < 0 ? .max : count))
        case .join:
            let parts = try reader.required("iterable")
            try reader.finish()
            return .string(try join(text, parts, isMarkup: isMarkup))
        case .find, .rfind, .index, .rindex, .count: return try search(text, method, &reader)
        case .partition, .rpartition: return try partition(text, fromRight: method == .rpartition, &reader)
        case .removeprefix:
            let prefix = try reader.requiredString("prefix")
            try reader.finish()
            guard PythonText.hasPrefix(text, prefix) else { return .string(text) }
            return try made(PythonText.string(text.utf8.dropFirst(prefix.utf8.count)))
        case .removesuffix:
            let suffix = try reader.requiredString("suffix")
            try reader.finish()
            guard PythonText.hasSuffix(text, suffix) else { return .string(text) }
            return try made(PythonText.string(text.utf8.dropLast(suffix.utf8.count)))
        case .center, .ljust, .rjust: return try padded(text, method, isMarkup: isMarkup, &reader)
        case .zfill:
            let width = try reader.requiredInteger("width")
            try reader.finish()
            return .string(try zeroFilled(text, width: width))
        case .expandtabs:
            let size = try reader.optionalInteger("tabsize") ?? 8
            try reader.finish()
            return .string(try expandTabs(text, size: size))
        case .format:
            let named = try budget.dict(reader.remainingNamed().map { (.string($0.name), $0.value) })
            return .string(
                try PythonBraceFormat.format(text, reader.remaining(), named: named, in: self, escapes: isMarkup))
        case .formatMap:
            let mapping = try reader.required("mapping")
            try reader.finish()
            return .string(try PythonBraceFormat.format(text, [], named: mapping, in: self, escapes: isMarkup))
        case .encode, .maketrans, .translate, .casefold, .unescape:
            throw failure("the method '\(method.rawValue)' of strings is not supported")
        case .striptags:
            try reader.finish()
            return .string(try stripTags(text))
        default:
            try reader.finish()
            return try plainStringMethod(method, text)
        }
    }

    /// The methods without arguments.
    private func plainStringMethod(_ method: PythonMethod, _ text: String) throws -> RenderValue {
        switch method {
        case .upper: return try made(text.uppercased())
        case .lower: return try made(PythonCase.lower(text))
        case .capitalize: return try made(PythonCase.capitalize(text))
        case .title: return try made(PythonCase.title(text))
        case .swapcase: return try made(PythonCase.swapcase(text))
        case .isupper: return .bool(PythonCase.isUpper(text))
        case .islower: return .bool(PythonCase.isLower(text))
        case .istitle: return .bool(PythonCase.isTitle(text))
        case .isspace: return .bool(PythonCase.all(text, PythonText.isSpace))
        case .isalpha: return .bool(PythonCase.all(text, PythonCase.isAlphabetic))
        case .isdecimal: return .bool(PythonCase.all(text, PythonCase.isDecimal))
        case .isdigit: return .bool(PythonCase.all(text, PythonCase.isDigit))
        case .isnumeric: return .bool(PythonCase.all(text, PythonCase.isNumeric))
        case .isalnum: return .bool(PythonCase.all(text, PythonCase.isAlphanumeric))
        case .isascii: return .bool(text.utf8.allSatisfy { $0 < 0x80 })
        case .isprintable: return .bool(text.unicodeScalars.allSatisfy(PythonCase.isPrintable))
        case .isidentifier: return .bool(PythonCase.isIdentifier(text))
        default: throw failure("'str' object has no method '\(method.rawValue)'")
        }
    }

    // MARK: Cutting and joining

    private func split(_ text: String, fromRight: Bool, _ reader: inout ArgumentReader) throws -> RenderValue {
        let separator = try reader.optionalString("sep")
        let cuts = try reader.optionalInteger("maxsplit") ?? -1
        try reader.finish()
        let cutsMax = cuts < 0 ? Int.max : cuts
        guard let separator else {
            try budget.allocateValues(min(PythonText.partsMax(text), cutsMax))
            return try budget.strings(
                fromRight
                    ? PythonText.lastWords(text, cutsMax: cutsMax) : PythonText.words(text, cutsMax: cutsMax))
        }
        guard !separator.isEmpty else { throw failure("empty separator") }
        // Before the parts are there: a separator of one byte cuts a string into pieces far larger than itself.
        try budget.allocateValues(2 * PythonText.count(of: separator, in: text, countMax: cutsMax))
        let offsets =
            fromRight
            ? PythonText.lastOffsets(of: separator, in: text, countMax: cutsMax)
            : PythonText.offsets(of: separator, in: text, countMax: cutsMax)
        return try budget.strings(PythonText.cut(text, at: offsets, separatorBytes: separator.utf8.count))
    }

    private func partition(_ text: String, fromRight: Bool, _ reader: inout ArgumentReader) throws -> RenderValue {
        let separator = try reader.requiredString("sep")
        try reader.finish()
        guard !separator.isEmpty else { throw failure("empty separator") }
        let offsets =
            fromRight
            ? PythonText.lastOffsets(of: separator, in: text, countMax: 1)
            : PythonText.offsets(of: separator, in: text, countMax: 1)
        try budget.allocateString(text.utf8.count)
        guard !offsets.isEmpty else {
            return try budget.tuple((fromRight ? ["", "", text] : [text, "", ""]).map { .string($0) })
        }
        let parts = PythonText.cut(text, at: offsets, separatorBytes: separator.utf8.count)
        return try budget.tuple([.string(parts[0]), .string(separator), .string(parts[1])])
    }

    /// `text` with up to `countMax` of `old` replaced by `new`.
    func replace(_ text: String, _ old: String, _ new: String, countMax: Int = .max) throws -> String {
        try budget.search(text)
        if old.isEmpty {
            try budget.walk(text)
            // Before each character and at the end.
            let count = min(PythonText.scalarCount(text) + 1, countMax)
            try budget.allocateString(new.utf8.count, times: count)
            var result = ""
            for (position, scalar) in text.unicodeScalars.enumerated() {
                if position < count { result += new }
                result.unicodeScalars.append(scalar)
            }
            if count > PythonText.scalarCount(text) { result += new }
            return result
        }
        let count = PythonText.count(of: old, in: text, countMax: countMax)
        guard count > 0 else { return text }
        try budget.allocateString(new.utf8.count, times: count)
        try budget.allocateString(text.utf8.count + (new.utf8.count - old.utf8.count) * count)
        try budget.allocateValues(2 * count)
        let offsets = PythonText.offsets(of: old, in: text, countMax: count)
        return PythonText.cut(text, at: offsets, separatorBytes: old.utf8.count).joined(separator: new)
    }

    /// `separator.join(parts)`, where all parts must be strings.
    private func join(_ separator: String, _ parts: RenderValue, isMarkup: Bool) throws -> String {
        var texts: [String] = []
        for (position, part) in try items(of: parts).enumerated() {
            if isMarkup {
                texts.append(part.isMarkup ? try text(of: part) : try escapedForHTML(try text(of: part)))
                continue
            }
            guard let text = part.text else {
                throw failure("sequence item \(position): expected str instance, \(part.typeName) found")
            }
            texts.append(text)
        }
        return try join(separator, texts)
    }

    func join(_ separator: String, _ texts: [String]) throws -> String {
        try budget.allocateString(separator.utf8.count, times: texts.count)
        try budget.allocateString(texts.reduce(0) { $0 + $1.utf8.count })
        return texts.joined(separator: separator)
    }

    // MARK: Searching

    private func startsOrEnds(
        _ text: String, _ method: PythonMethod, _ reader: inout ArgumentReader
    ) throws -> RenderValue {
        let wanted = try reader.required("prefix")
        let part = try window(text, &reader)
        try reader.finish()
        guard let part else { return .bool(false) }
        func matches(_ affix: String) -> Bool {
            method == .startswith ? PythonText.hasPrefix(part.text, affix) : PythonText.hasSuffix(part.text, affix)
        }
        if let affix = wanted.text { return .bool(matches(affix)) }
        guard case .tuple(let tuple) = wanted else {
            if case .undefined(let reason) = wanted { throw failure(reason.message) }
            throw failure("\(method.rawValue) first arg must be str or a tuple of str, not \(wanted.typeName)")
        }
        for affix in tuple.elements {
            try budget.step()
            guard let affix = affix.text else { throw failure("\(method.rawValue) needs a tuple of strings") }
            if matches(affix) { return .bool(true) }
        }
        return .bool(false)
    }

    /// The part of `text` that optional `start` and `end` choose, and where it starts, in code points.
    /// Nil if it starts past the end, where not even the empty string is found.
    private func window(_ text: String, _ reader: inout ArgumentReader) throws -> (text: String, start: Int)? {
        let (start, end) = (try reader.optionalInteger("start"), try reader.optionalInteger("end"))
        guard start != nil || end != nil else { return (text, 0) }
        let count = PythonText.scalarCount(text)
        func clamped(_ index: Int) -> Int { index < 0 ? max(index + count, 0) : index }
        let (lower, upper) = (clamped(start ?? 0), min(clamped(end ?? count), count))
        guard lower <= upper else { return nil }
        try budget.allocateString(text.utf8.count)
        return (PythonText.slice(text, lower, upper), lower)
    }

    private func search(_ text: String, _ method: PythonMethod, _ reader: inout ArgumentReader) throws -> RenderValue {
        let wanted = try reader.requiredString("sub")
        let part = try window(text, &reader)
        try reader.finish()
        let found = part.flatMap { position(of: wanted, in: $0.text, method) }
        switch method {
        case .count: return .int(found ?? 0)
        case .find, .rfind: return .int(found.map { $0 + (part?.start ?? 0) } ?? -1)
        default:
            guard let found, let part else { throw failure("substring not found") }
            return .int(found + part.start)
        }
    }

    /// Where `wanted` is in `text`, in code points; for `count`, how often.
    private func position(of wanted: String, in text: String, _ method: PythonMethod) -> Int? {
        switch method {
        case .count:
            return wanted.isEmpty ? PythonText.scalarCount(text) + 1 : PythonText.count(of: wanted, in: text)
        case .rfind, .rindex:
            if wanted.isEmpty { return PythonText.scalarCount(text) }
            return PythonText.lastOffsets(of: wanted, in: text, countMax: 1).first.map { scalars(before: $0, in: text) }
        default:
            if wanted.isEmpty { return 0 }
            return PythonText.offsets(of: wanted, in: text, countMax: 1).first.map { scalars(before: $0, in: text) }
        }
    }

    private func scalars(before offset: Int, in text: String) -> Int {
        PythonText.withBytes(text) { PythonText.scalarCount($0[..<offset]) }
    }

    // MARK: Padding

    private func padded(
        _ text: String, _ method: PythonMethod, isMarkup: Bool, _ reader: inout ArgumentReader
    ) throws -> RenderValue {
        let width = try reader.requiredInteger("width")
        var fill = try reader.optionalString("fillchar") ?? " "
        try reader.finish()
        if isMarkup { fill = try escapedForHTML(fill) }
        guard PythonText.scalarCount(fill) == 1 else { throw failure("the fill character must be one character") }
        return .string(try padded(text, width: width, fill: fill, method))
    }

    /// `text` filled up to `width` characters at the left, the right, or both.
    func padded(_ text: String, width: Int, fill: String, _ method: PythonMethod) throws -> String {
        try budget.scan(text)
        let missing = width - min(PythonText.scalarCount(text), max(width, 0))
        guard missing > 0 else { return text }
        try budget.allocateString(fill.utf8.count, times: missing)
        try budget.allocateString(text.utf8.count)
        let left: Int
        switch method {
        case .ljust: left = 0
        case .rjust: left = missing
        // Python puts an odd one left of text in an odd width.
        default: left = missing / 2 + (missing & width & 1)
        }
        return String(repeating: fill, count: left) + text + String(repeating: fill, count: missing - left)
    }

    private func zeroFilled(_ text: String, width: Int) throws -> String {
        let isSigned = text.hasPrefix("-") || text.hasPrefix("+")
        let digits = isSigned ? String(text.dropFirst()) : text
        let filled = try padded(digits, width: max(width, 0) - (isSigned ? 1 : 0), fill: "0", .rjust)
        return (isSigned ? String(text.prefix(1)) : "") + filled
    }

    private func expandTabs(_ text: String, size: Int) throws -> String {
        let tabs = text.utf8.count { $0 == UInt8(ascii: "\t") }
        try budget.allocateString(max(size, 0), times: tabs)
        try budget.allocateString(text.utf8.count)
        var result = ""
        var column = 0
        for scalar in text.unicodeScalars {
            if scalar == "\t" {
                guard size > 0 else { continue }
                let spaces = size - column % size
                result += String(repeating: " ", count: spaces)
                column += spaces
            } else {
                result.unicodeScalars.append(scalar)
                column = scalar == "\n" || scalar == "\r" ? 0 : column + 1
            }
        }
        return result
    }
}
