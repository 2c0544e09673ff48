// JinjaInterpreter+Members: attributes, items and slices of values.

/// Whether a value has a method.
enum MethodAccess {
    case none, allowed
    /// It changes the value, which the sandbox forbids: taking it gives an undefined value.
    case refused
}

extension JinjaInterpreter {
    /// `value.name`: a method or attribute of the value's type, or else the item of this name.
    func attribute(_ name: String, _ method: PythonMethod?, of value: RenderValue) throws -> RenderValue {
        if let found = try ownAttribute(name, method, of: value) { return found }
        if case .dict(let dict) = value, let found = dict[name] { return found }
        return missing(.string(name), of: value)
    }

    /// `value[key]`: an item, or else the attribute of this name.
    func item(_ key: RenderValue, of value: RenderValue) throws -> RenderValue {
        if let found = try ownItem(key, of: value) { return found }
        if let name = key.text, let found = try ownAttribute(name, PythonMethod.named(name), of: value) {
            return found
        }
        return missing(key, of: value)
    }

    private func missing(_ member: RenderValue, of owner: RenderValue) -> RenderValue {
        .undefined(UndefinedReason(owner: owner, member: member))
    }

    private func unsafe(_ name: String, of value: RenderValue) -> RenderValue {
        .undefined(.explained("access to attribute '\(name)' of '\(value.typeName)' object is unsafe"))
    }

    /// An attribute that Python's type for the value has, nil if it has none of this name.
    private func ownAttribute(
        _ name: String, _ method: PythonMethod?, of value: RenderValue
    ) throws -> RenderValue? {
        if case .undefined(let reason) = value { throw failure(reason.message) }
        if let method {
            switch methodAccess(of: value, method) {
            case .allowed:
                try budget.allocateValues(1)
                return .object(RenderMethod(receiver: value, method: method))
            case .refused: return unsafe(name, of: value)
            case .none: break
            }
        }
        switch value {
        case .object(let namespace as RenderNamespace):
            try budget.step(1 + namespace.names.count / 8)
            if let found = namespace[name] { return found }
        case .object(let loop as RenderLoop): if let found = try loopAttribute(name, of: loop) { return found }
        case .object(let cycler as RenderCycler) where name == "current":
            return cycler.values.elements[cycler.position]
        case .object(let macro as RenderMacro): if let found = try macroAttribute(name, of: macro) { return found }
        case .tuple(let tuple):
            if let position = tuple.fieldNames.firstIndex(of: name) { return tuple.elements[position] }
        case .int, .bool, .double: if let found = numberAttribute(name, of: value) { return found }
        case .range(let range):
            switch name {
            case "start": return .int(range.start)
            case "stop": return .int(range.stop)
            case "step": return .int(range.step)
            default: break
            }
        default: break
        }
        // What Python itself hangs on every object; a dict may have a key of this shape.
        if name.hasPrefix("__"), name.hasSuffix("__"), !isKey(name, of: value) { return unsafe(name, of: value) }
        return nil
    }

    private func isKey(_ name: String, of value: RenderValue) -> Bool {
        if case .dict(let dict) = value { return dict[name] != nil }
        return false
    }

    private func numberAttribute(_ name: String, of value: RenderValue) -> RenderValue? {
        switch (name, value) {
        case ("real", .double), ("real", .int), ("numerator", .int): value
        case ("real", .bool(let value)), ("numerator", .bool(let value)): .int(value ? 1 : 0)
        case ("imag", .double): .double(0)
        case ("imag", _): .int(0)
        case ("denominator", .int), ("denominator", .bool): .int(1)
        default: nil
        }
    }

    private func macroAttribute(_ name: String, of macro: RenderMacro) throws -> RenderValue? {
        let definition = macro.definition
        switch name {
        case "name": return definition.name.map { .string($0) } ?? RenderValue.none
        case "arguments": return try budget.tuple(definition.parameters.map { .string($0.name) })
        case "caller": return .bool(definition.callerSlot != nil)
        case "catch_kwargs": return .bool(definition.kwargsSlot != nil)
        case "catch_varargs": return .bool(definition.varargsSlot != nil)
        default: return nil
        }
    }

    private func loopAttribute(_ name: String, of loop: RenderLoop) throws -> RenderValue? {
        switch name {
        case "index": return .int(loop.index0 + 1)
        case "index0": return .int(loop.index0)
        case "revindex": return .int(try loop.count() - loop.index0)
        case "revindex0": return .int(try loop.count() - loop.index0 - 1)
        case "first": return .bool(loop.index0 == 0)
        case "last": return .bool(try loop.peek() == nil)
        case "length": return .int(try loop.count())
        case "depth": return .int((loop.recursion?.depth0 ?? 0) + 1)
        case "depth0": return .int(loop.recursion?.depth0 ?? 0)
        case "previtem":
            if loop.index0 > 0, let previous = loop.previous { return previous }
            return .undefined(.explained("there is no previous item"))
        case "nextitem": return try loop.peek() ?? .undefined(.explained("there is no next item"))
        default: return nil
        }
    }

    // MARK: Items

    private func ownItem(_ key: RenderValue, of value: RenderValue) throws -> RenderValue? {
        switch value {
        case .undefined(let reason): throw failure(reason.message)
        case .dict(let dict):
            // What cannot be a key is no key.
            return try budget.key(key).flatMap { dict[$0] }
        case .list(let list): return element(key, count: list.elements.count).map { list.elements[$0] }
        case .tuple(let tuple): return element(key, count: tuple.elements.count).map { tuple.elements[$0] }
        case .range(let range): return element(key, count: range.count).map { range[$0] }
        case .string(let text): return try character(key, of: text).map(RenderValue.string)
        case .markup(let text): return try character(key, of: text).map(RenderValue.markup)
        default: return nil
        }
    }

    private func element(_ key: RenderValue, count: Int) -> Int? {
        guard let index = key.integer, index < count, index >= -count else { return nil }
        return index < 0 ? index + count : index
    }

    private func character(_ key: RenderValue, of text: String) throws -> String? {
        guard key.integer != nil else { return nil }
        try budget.scan(text)
        return element(key, count: PythonText.scalarCount(text)).map { PythonText.slice(text, $0, $0 + 1) }
    }

    // MARK: Slices

    /// `value[start:stop:step]`.
    func slice(
        _ value: RenderValue, start: RenderValue?, stop: RenderValue?, step: RenderValue?
    ) throws -> RenderValue {
        if case .undefined(let reason) = value { throw failure(reason.message) }
        let bounds = try [start, stop, step].map { bound -> Int? in
            guard let bound, !bound.isNone else { return nil }
            if case .bigInteger(let digits) = bound { return digits.hasPrefix("-") ? -Int.max : Int.max }
            guard let index = bound.integer else { throw failure("slice indices must be integers or none") }
            return index
        }
        guard case let step = bounds[2] ?? 1, step != 0 else { throw failure("slice step cannot be zero") }
        func positions(_ count: Int) -> SlicePositions {
            SlicePositions(start: bounds[0], stop: bounds[1], step: step, count: count)
        }
        switch value {
        case .list(let list): return try budget.list(picked(positions(list.elements.count), from: list.elements))
        case .tuple(let tuple): return try budget.tuple(picked(positions(tuple.elements.count), from: tuple.elements))
        case .string(let text): return .string(try sliced(text, positions))
        case .markup(let text): return .markup(try sliced(text, positions))
        case .range(let range):
            let positions = positions(range.count)
            // Only where no element is taken can these wrap round.
            return .range(
                RenderRange(
                    start: range.start &+ positions.first &* range.step,
                    stop: range.start &+ positions.end &* range.step,
                    step: range.step &* step, count: positions.count))
        default: throw failure("'\(value.typeName)' object is not subscriptable")
        }
    }

    private func picked(_ positions: SlicePositions, from elements: [RenderValue]) throws -> [RenderValue] {
        try budget.allocateValues(positions.count)
        return (0..<positions.count).map { elements[positions.first + $0 * positions.step] }
    }

    private func sliced(_ text: String, _ positions: (Int) -> SlicePositions) throws -> String {
        try budget.allocateString(text.utf8.count)
        let positions = positions(PythonText.scalarCount(text))
        if positions.step == 1 { return PythonText.slice(text, positions.first, positions.first + positions.count) }
        let scalars = Array(text.unicodeScalars)
        var result = String.UnicodeScalarView()
        for position in 0..<positions.count { result.append(scalars[positions.first + position * positions.step]) }
        return String(result)
    }
}

/// Which of `count` elements a slice takes, by Python's rules.
private struct SlicePositions {
    let first: Int
    let end: Int
    let step: Int
    let count: Int

    init(start: Int?, stop: Int?, step: Int, count total: Int) {
        /// An index from either end, kept to where the walk can be.
        func clamped(_ index: Int) -> Int {
            let lower = step < 0 ? -1 : 0
            let upper = step < 0 ? total - 1 : total
            return index < 0 ? max(index + total, lower) : min(index, upper)
        }
        self.step = step
        first = start.map(clamped) ?? (step < 0 ? total - 1 : 0)
        end = stop.map(clamped) ?? (step < 0 ? -1 : total)
        let distance = step < 0 ? first - end : end - first
        // A step beyond the ends takes the first only; its magnitude may be that of the least integer.
        count = distance <= 0 ? 0 : 1 + (distance - 1) / (step == .min ? .max : abs(step))
    }
}
