// JinjaFilters+Sequences: filters that walk through lists, dicts and other iterables.

extension JinjaFilters {
    static let length: Body = { interpreter, value, reader in
        try reader.finish()
        guard let length = try interpreter.length(of: value) else {
            throw interpreter.failure("object of type '\(value.typeName)' has no len()")
        }
        return .int(length)
    }

    static let list: Body = { interpreter, value, reader in
        try reader.finish()
        return try interpreter.budget.list(try interpreter.items(of: value))
    }

    static let first: Body = { interpreter, value, reader in
        try reader.finish()
        var cursor = try interpreter.cursor(over: value)
        return try cursor.next() ?? .undefined(.explained("No first item, sequence was empty."))
    }

    static let last: Body = { interpreter, value, reader in
        try reader.finish()
        if case .object(let iterator) = value, iterator is RenderIterator {
            throw interpreter.failure("'generator' object is not reversible")
        }
        if value.isMarkup, value.isTruthy { return try interpreter.item(.int(-1), of: value) }
        return try interpreter.items(of: value).last ?? .undefined(.explained("No last item, sequence was empty."))
    }

    static let random: Body = { interpreter, value, reader in
        try reader.finish()
        guard let count = try interpreter.length(of: value) else {
            throw interpreter.failure("object of type '\(value.typeName)' has no len()")
        }
        guard count > 0 else { return .undefined(.explained("No random item, sequence was empty.")) }
        return try interpreter.item(.int(Int.random(in: 0..<count)), of: value)
    }

    static let reverse: Body = { interpreter, value, reader in
        try reader.finish()
        switch value {
        case .string(let text):
            try interpreter.budget.walk(text)
            return .string(String(String.UnicodeScalarView(text.unicodeScalars.reversed())))
        case .markup(let text):
            try interpreter.budget.walk(text)
            return .markup(String(String.UnicodeScalarView(text.unicodeScalars.reversed())))
        case .object(let iterator) where iterator is RenderIterator:
            return try interpreter.budget.list(try interpreter.items(of: value).reversed())
        default: return try interpreter.budget.iterator(try interpreter.items(of: value).reversed())
        }
    }

    static let items: Body = { interpreter, value, reader in
        try reader.finish()
        switch value {
        case .undefined: return try interpreter.budget.iterator([])
        case .dict(let dict):
            try interpreter.budget.allocateValues(dict.keys.count * 4)
            return try interpreter.budget.iterator(zip(dict.keys, dict.values).map { .pair($0, $1) })
        default:
            let error = interpreter.failure("Can only get item pairs from a mapping.")
            return try interpreter.budget.iterator([], failure: error)
        }
    }

    static let join: Body = { interpreter, value, reader in
        let separator = try interpreter.text(of: try reader.optional("d") ?? .emptyString)
        let path = try path(try reader.optional("attribute"), interpreter)
        try reader.finish()
        var texts: [String] = []
        for item in try interpreter.items(of: value) {
            try interpreter.budget.step()
            texts.append(try interpreter.text(of: try JinjaFilters.value(of: item, at: path, interpreter)))
        }
        return .string(try interpreter.join(separator, texts))
    }

    static let dictsort: Body = { interpreter, value, reader in
        let isCaseSensitive = try reader.flag("case_sensitive")
        let by = try reader.optionalString("by") ?? "key"
        let isReversed = try reader.flag("reverse")
        try reader.finish()
        guard by == "key" || by == "value" else { throw reader.failure("'by' must be \"key\" or \"value\"") }
        guard case .dict(let dict) = value else {
            if case .undefined(let reason) = value { throw interpreter.failure(reason.message) }
            throw interpreter.failure("dictsort wants a mapping, not \(value.typeName)")
        }
        var keys = by == "key" ? dict.keys : dict.values
        if !isCaseSensitive { keys = try keys.map { try foldingCase($0, interpreter) } }
        try interpreter.budget.allocateValues(dict.keys.count * 4)
        return try interpreter.budget.list(
            try order(keys, isReversed: isReversed, interpreter).map { .pair(dict.keys[$0], dict.values[$0]) })
    }

    static let sort: Body = { interpreter, value, reader in
        let isReversed = try reader.flag("reverse")
        let isCaseSensitive = try reader.flag("case_sensitive")
        let attribute = try reader.optional("attribute")
        try reader.finish()
        // Several attributes, with commas between them, sort by the first, then the second, and so on.
        let names = try attribute?.text.map { try parts(of: $0, cutAt: ",", interpreter).map(RenderValue.string) }
        let paths = try (names ?? [attribute ?? .none]).map { try path($0, interpreter) }
        let items = try interpreter.items(of: value)
        let keys = try items.map { item -> RenderValue in
            let parts = try paths.map { path in
                let part = try JinjaFilters.value(of: item, at: path, interpreter)
                return isCaseSensitive ? part : try foldingCase(part, interpreter)
            }
            return try interpreter.budget.list(parts)
        }
        return try interpreter.budget.list(
            try order(keys, isReversed: isReversed, interpreter).map { items[$0] })
    }

    static let unique: Body = { interpreter, value, reader in
        let isCaseSensitive = try reader.flag("case_sensitive")
        let path = try path(try reader.optional("attribute"), interpreter)
        try reader.finish()
        return try iterator(interpreter) { found in
            var seen: Set<RenderKey> = []
            for item in try interpreter.items(of: value) {
                let part = try JinjaFilters.value(of: item, at: path, interpreter)
                let key = try interpreter.key(isCaseSensitive ? part : try foldingCase(part, interpreter))
                if seen.insert(key).inserted { found.append(item) }
            }
        }
    }

    static let minimum: Body = { interpreter, value, reader in
        try extreme(interpreter, value, &reader) { try interpreter.precedes($0, $1) }
    }

    static let maximum: Body = { interpreter, value, reader in
        try extreme(interpreter, value, &reader) { try interpreter.precedes($1, $0, ">") }
    }

    private static func extreme(
        _ interpreter: JinjaInterpreter, _ value: RenderValue, _ reader: inout ArgumentReader,
        isBetter: (RenderValue, RenderValue) throws -> Bool
    ) throws -> RenderValue {
        let isCaseSensitive = try reader.flag("case_sensitive")
        let path = try path(try reader.optional("attribute"), interpreter)
        try reader.finish()
        var best: (key: RenderValue, item: RenderValue)?
        for item in try interpreter.items(of: value) {
            try interpreter.budget.step()
            let part = try JinjaFilters.value(of: item, at: path, interpreter)
            let key = isCaseSensitive ? part : try foldingCase(part, interpreter)
            if let best, try !isBetter(key, best.key) { continue }
            best = (key, item)
        }
        return best?.item ?? .undefined(.explained("No aggregated item, sequence was empty."))
    }

    static let sum: Body = { interpreter, value, reader in
        let path = try path(try reader.optional("attribute"), interpreter)
        var total = try reader.optional("start") ?? .int(0)
        try reader.finish()
        if total.text != nil { throw reader.failure("strings are joined with 'join', not summed") }
        for item in try interpreter.items(of: value) {
            try interpreter.budget.step()
            total = try interpreter.arithmetic(total, .add, try JinjaFilters.value(of: item, at: path, interpreter))
        }
        return total
    }

    static let groupby: Body = { interpreter, value, reader in
        let path = try path(try reader.required("attribute"), interpreter)
        let missing = try reader.optional("default").flatMap { $0.isNone ? nil : $0 }
        let isCaseSensitive = try reader.flag("case_sensitive")
        try reader.finish()
        let items = try interpreter.items(of: value)
        let parts = try items.map { try JinjaFilters.value(of: $0, at: path, missing: missing, interpreter) }
        let keys = isCaseSensitive ? parts : try parts.map { try foldingCase($0, interpreter) }
        var groups: [RenderValue] = []
        var members: [Int] = []
        func endGroup() throws {
            guard let first = members.first else { return }
            let list = try interpreter.budget.list(members.map { items[$0] })
            groups.append(try interpreter.budget.tuple([parts[first], list], fieldNames: ["grouper", "list"]))
            members = []
        }
        for position in try order(keys, isReversed: false, interpreter) {
            if let first = members.first, try !interpreter.equal(keys[first], keys[position]) { try endGroup() }
            members.append(position)
        }
        try endGroup()
        return try interpreter.budget.list(groups)
    }

    static let batch: Body = { interpreter, value, reader in
        let size = try reader.requiredInteger("linecount")
        let fill = try reader.optional("fill_with").flatMap { $0.isNone ? nil : $0 }
        try reader.finish()
        return try iterator(interpreter) { batches in
            var batch: [RenderValue] = []
            for item in try interpreter.items(of: value) {
                try interpreter.budget.step()
                if batch.count == size {
                    batches.append(try interpreter.budget.list(batch))
                    batch = []
                }
                batch.append(item)
            }
            guard !batch.isEmpty else { return }
            if let fill, batch.count < size {
                try interpreter.budget.allocateValues(size - batch.count)
                batch += Array(repeating: fill, count: size - batch.count)
            }
            batches.append(try interpreter.budget.list(batch))
        }
    }

    static let slice: Body = { interpreter, value, reader in
        let count = try reader.requiredInteger("slices")
        let fill = try reader.optional("fill_with").flatMap { $0.isNone ? nil : $0 }
        try reader.finish()
        guard count != 0 else { throw interpreter.failure("integer division or modulo by zero") }
        try interpreter.budget.allocateValues(max(count, 0))
        return try iterator(interpreter) { slices in
            let items = try interpreter.items(of: value)
            guard count > 0 else { return }
            let (size, extra) = items.count.quotientAndRemainder(dividingBy: count)
            var start = 0
            for number in 0..<count {
                let end = start + size + (number < extra ? 1 : 0)
                var slice = Array(items[start..<end])
                if let fill, number >= extra { slice.append(fill) }
                slices.append(try interpreter.budget.list(slice))
                start = end
            }
        }
    }

    // MARK: map, select and their kin

    static let map: Body = { interpreter, value, reader in
        var arguments = reader.arguments
        guard value.isTruthy else { return try interpreter.budget.iterator([]) }
        let attributePosition = arguments.named.firstIndex { $0.name == "attribute" }
        if arguments.positional.isEmpty, let attributePosition {
            let path = try path(arguments.named.remove(at: attributePosition).value, interpreter)
            let missing = arguments.named.firstIndex { $0.name == "default" }.map {
                arguments.named.remove(at: $0).value
            }
            try ArgumentReader("map", arguments).finish()
            return try iterator(interpreter) { results in
                for item in try interpreter.items(of: value) {
                    let missing = missing.flatMap { $0.isNone ? nil : $0 }
                    results.append(try JinjaFilters.value(of: item, at: path, missing: missing, interpreter))
                }
            }
        }
        return try iterator(interpreter) { results in
            guard let name = arguments.positional.first?.text else {
                throw interpreter.failure("map needs the name of a filter or an attribute")
            }
            guard let filter = named(name) else { throw interpreter.failure(unknown(name)) }
            arguments.positional.removeFirst()
            for item in try interpreter.items(of: value) {
                var reader = ArgumentReader(name, arguments)
                // The filter may be `map` again.
                results.append(try interpreter.nested { try filter(interpreter, item, &reader) })
            }
        }
    }

    static let select: Body = { try chosen($0, $1, $2.arguments, byAttribute: false, wanted: true) }
    static let reject: Body = { try chosen($0, $1, $2.arguments, byAttribute: false, wanted: false) }
    static let selectattr: Body = { try chosen($0, $1, $2.arguments, byAttribute: true, wanted: true) }
    static let rejectattr: Body = { try chosen($0, $1, $2.arguments, byAttribute: true, wanted: false) }

    /// The items, or those with an attribute, that pass a test, or are true where none is named.
    private static func chosen(
        _ interpreter: JinjaInterpreter, _ value: RenderValue, _ arguments: RenderArguments, byAttribute: Bool,
        wanted: Bool
    ) throws -> RenderValue {
        guard value.isTruthy else { return try interpreter.budget.iterator([]) }
        return try iterator(interpreter) { results in
            var arguments = arguments
            var path: Path?
            if byAttribute {
                guard !arguments.positional.isEmpty else {
                    throw interpreter.failure("the attribute's name is missing")
                }
                path = try JinjaFilters.path(arguments.positional.removeFirst(), interpreter)
            }
            var test: JinjaTests.Body?
            var name = ""
            if !arguments.positional.isEmpty {
                guard let given = arguments.positional.removeFirst().text else {
                    throw interpreter.failure("the name of a test must be a string")
                }
                guard let found = JinjaTests.named(given) else { throw interpreter.failure(JinjaTests.unknown(given)) }
                (name, test) = (given, found)
            }
            for item in try interpreter.items(of: value) {
                try interpreter.budget.step()
                let part = try JinjaFilters.value(of: item, at: path, interpreter)
                var reader = ArgumentReader(name, arguments)
                let passes = try test.map { try $0(interpreter, part, &reader) } ?? part.isTruthy
                if passes == wanted { results.append(item) }
            }
        }
    }
}
