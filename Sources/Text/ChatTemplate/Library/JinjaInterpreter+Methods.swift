// JinjaInterpreter+Methods: the methods of dicts, lists, numbers, loops and cyclers.

extension JinjaInterpreter {
    /// Calls a method that ``methodAccess(of:_:)`` allows.
    func call(_ method: PythonMethod, of value: RenderValue, _ arguments: RenderArguments) throws -> RenderValue {
        try budget.step()
        switch value {
        case .string(let text): return try call(method, ofText: text, isMarkup: false, arguments)
        case .markup(let text): return try call(method, ofText: text, isMarkup: true, arguments)
        default: break
        }
        var reader = ArgumentReader("\(value.typeName).\(method.rawValue)", arguments)
        switch value {
        case .dict(let dict): return try call(method, of: dict, &reader)
        case .object(let object): return try call(method, of: object, &reader)
        default: break
        }
        switch method {
        case .count, .index: return try search(value, method, &reader)
        case .copy:
            try reader.finish()
            return value
        case .isInteger:
            try reader.finish()
            return .bool(value.number.map { $0.isFinite && $0 == $0.rounded() } ?? false)
        case .bitLength:
            try reader.finish()
            return .int(value.integer.map { Int.bitWidth - $0.magnitude.leadingZeroBitCount } ?? 0)
        default: throw failure("'\(value.typeName)' object has no method '\(method.rawValue)'")
        }
    }

    private func call(
        _ method: PythonMethod, of dict: RenderDict, _ reader: inout ArgumentReader
    ) throws -> RenderValue {
        switch method {
        case .get:
            let wanted = try key(try reader.required("key"))
            let missing = try reader.optional("default") ?? RenderValue.none
            try reader.finish()
            return dict[wanted] ?? missing
        case .fromkeys: return try dictFromKeys(&reader)
        default: break
        }
        try reader.finish()
        try budget.allocateValues(1)
        switch method {
        case .items: return .object(RenderDictView(dict, .items))
        case .keys: return .object(RenderDictView(dict, .keys))
        case .values: return .object(RenderDictView(dict, .values))
        default: return .dict(dict)
        }
    }

    private func dictFromKeys(_ reader: inout ArgumentReader) throws -> RenderValue {
        let keys = try items(of: try reader.required("iterable"))
        let value = try reader.optional("value") ?? RenderValue.none
        try reader.finish()
        return try budget.dict(keys.map { ($0, value) })
    }

    private func call(
        _ method: PythonMethod, of object: RenderObject, _ reader: inout ArgumentReader
    ) throws -> RenderValue {
        switch (object, method) {
        case (let loop as RenderLoop, .cycle):
            let values = reader.remaining()
            try reader.finish()
            guard !values.isEmpty else { throw failure("no items for cycling given") }
            return values[max(loop.index0, 0) % values.count]
        case (let loop as RenderLoop, .changed):
            let values = reader.remaining()
            try reader.finish()
            return .bool(try loop.changed(values, loops: &loops) { try equal($0, $1) })
        case (let cycler as RenderCycler, .next):
            try reader.finish()
            return cycler.next()
        case (let cycler as RenderCycler, .reset):
            try reader.finish()
            cycler.position = 0
            return .none
        case (is RenderFunction, .fromkeys): return try dictFromKeys(&reader)
        default: throw failure("'\(object.typeName)' object has no method '\(method.rawValue)'")
        }
    }

    /// `count` and `index` of lists, tuples and ranges.
    private func search(
        _ value: RenderValue, _ method: PythonMethod, _ reader: inout ArgumentReader
    ) throws -> RenderValue {
        let wanted = try reader.required("value")
        let items = try items(of: value)
        var lower = 0
        var upper = items.count
        if method == .index {
            func clamped(_ index: Int) -> Int { index < 0 ? max(index + items.count, 0) : min(index, items.count) }
            lower = clamped(try reader.optionalInteger("start") ?? 0)
            upper = clamped(try reader.optionalInteger("stop") ?? items.count)
        }
        try reader.finish()
        var found = 0
        for position in lower..<max(lower, upper) {
            try budget.step()
            guard try equal(items[position], wanted) else { continue }
            if method == .index { return .int(position) }
            found += 1
        }
        guard method == .count else { throw failure("the value is not in the \(value.typeName)") }
        return .int(found)
    }
}
