// RenderBudget: counts what a rendering has used of its bounds, and makes the containers and strings that count.

/// What a rendering may still use.
struct RenderBudget {
    let limits: JinjaLimits
    private var stepsLeft: Int
    private var bytesLeft: Int

    init(limits: JinjaLimits) {
        self.limits = limits
        stepsLeft = limits.stepsMax
        bytesLeft = limits.allocatedBytesMax
    }

    /// Counts `count` steps.
    mutating func step(_ count: Int = 1) throws {
        stepsLeft = count <= stepsLeft ? stepsLeft - count : -1
        guard stepsLeft >= 0 else {
            throw ChatTemplateError(.limit, "the template takes more than \(limits.stepsMax) steps")
        }
    }

    /// Counts copying, comparing or measuring `bytes` of text, at well under a nanosecond each.
    mutating func scan(_ bytes: Int) throws { try step(1 + bytes / 64) }
    mutating func scan(_ text: String) throws { try scan(text.utf8.count) }

    /// Counts searching, hashing or escaping text, at a few nanoseconds a byte.
    mutating func search(_ text: String) throws { try step(1 + text.utf8.count / 16) }

    /// Counts asking Unicode about each character of a text, at some tens of nanoseconds.
    mutating func walk(_ text: String) throws { try step(1 + text.utf8.count) }

    /// Counts building something of `bytes`. Call it before building.
    mutating func allocate(_ bytes: Int) throws {
        bytesLeft = bytes <= bytesLeft ? bytesLeft - bytes : -1
        guard bytesLeft >= 0 else {
            throw ChatTemplateError(
                .limit, "the template builds more than \(limits.allocatedBytesMax) bytes of text and lists")
        }
        try scan(bytes)
    }

    /// Counts building a string of `bytes`. Call it before building.
    mutating func allocateString(_ bytes: Int) throws {
        guard bytes <= limits.stringBytesMax else {
            throw ChatTemplateError(.limit, "the template builds a string of more than \(limits.stringBytesMax) bytes")
        }
        try allocate(bytes)
    }

    /// Counts making a string of `bytes` out of one that was there already, where only `counted` bytes are new.
    mutating func allocateString(_ bytes: Int, counting counted: Int) throws {
        try allocateString(bytes <= limits.stringBytesMax ? counted : bytes)
    }

    /// Counts building a string of `count` times `bytes`.
    mutating func allocateString(_ bytes: Int, times count: Int) throws {
        let (total, overflow) = bytes.multipliedReportingOverflow(by: max(count, 0))
        try allocateString(overflow ? Int.max : total)
    }

    /// Counts a container of `count` values. Call it before building where the template chose the count.
    mutating func allocateValues(_ count: Int) throws {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<RenderValue>.stride)
        // The object's own header and the array's.
        try allocate(overflow ? Int.max : min(bytes, Int.max - 64) + 64)
    }

    /// Levels of a container of `elements`. Values nested without bound would overflow the stack when let go.
    func nesting(of elements: some Sequence<RenderValue>) throws -> Int {
        var deepest = 0
        for element in elements { deepest = max(deepest, element.nesting) }
        guard deepest < limits.valueNestingMax else {
            throw ChatTemplateError(.limit, "lists or dicts nested more than \(limits.valueNestingMax) levels deep")
        }
        return deepest + 1
    }

    mutating func list(_ elements: [RenderValue]) throws -> RenderValue {
        try allocateValues(elements.count)
        return .list(RenderList(elements: elements, nesting: try nesting(of: elements)))
    }

    mutating func strings(_ texts: [String]) throws -> RenderValue {
        try allocate(texts.reduce(0) { $0 + $1.utf8.count })
        return try list(texts.map { .string($0) })
    }

    mutating func tuple(_ elements: [RenderValue], fieldNames: [String] = []) throws -> RenderValue {
        try allocateValues(elements.count)
        return .tuple(RenderTuple(elements: elements, nesting: try nesting(of: elements), fieldNames: fieldNames))
    }

    mutating func iterator(_ items: [RenderValue], failure: (any Error)? = nil) throws -> RenderValue {
        try allocateValues(items.count)
        return .object(RenderIterator(items, failure: failure, nesting: try nesting(of: items)))
    }

    /// A dict of these members; a key that comes again replaces the value of the first.
    mutating func dict(_ members: [(RenderValue, RenderValue)]) throws -> RenderValue {
        try allocateValues(members.count * 2)
        var keys: [RenderValue] = []
        var values: [RenderValue] = []
        var positions: [RenderKey: Int] = [:]
        for (key, value) in members {
            guard let hashed = try self.key(key) else {
                throw ChatTemplateError(.evaluation, "unhashable type: '\(key.typeName)' cannot be a key")
            }
            if let position = positions[hashed] {
                values[position] = value
            } else {
                positions[hashed] = keys.count
                keys.append(key)
                values.append(value)
            }
        }
        let nesting = max(try nesting(of: keys), try nesting(of: values))
        return .dict(RenderDict(distinctKeys: keys, values: values, nesting: nesting))
    }

    /// The value as key of a dict or member of a set, nil where it cannot be one.
    mutating func key(_ value: RenderValue) throws -> RenderKey? {
        switch value {
        case .string(let text), .markup(let text): try search(text)
        case .tuple(let tuple):
            // The key is a copy, of shared parts too.
            try allocateValues(tuple.elements.count * 2)
            var keys: [RenderKey] = []
            for element in tuple.elements {
                guard let key = try key(element) else { return nil }
                keys.append(key)
            }
            return .tuple(keys)
        default: try step()
        }
        return RenderKey(scalar: value)
    }

    /// The caller's data as a value of this rendering.
    mutating func value(_ data: JinjaValue, nesting: Int = 0) throws -> RenderValue {
        switch data {
        case .undefined: return .undefined(.explained("the value is undefined"))
        case .none: return .none
        case .bool(let value): return .bool(value)
        case .int(let value): return .int(value)
        case .bigInteger(let digits): return .bigInteger(digits)
        case .double(let value): return .double(value)
        case .string(let text): return .string(text)
        case .array(let elements):
            try checkNesting(nesting)
            var values: [RenderValue] = []
            values.reserveCapacity(elements.count)
            for element in elements { values.append(try value(element, nesting: nesting + 1)) }
            return .list(RenderList(elements: values, nesting: try self.nesting(of: values)))
        case .object(let object):
            try checkNesting(nesting)
            var values: [RenderValue] = []
            values.reserveCapacity(object.count)
            for element in object.values { values.append(try value(element, nesting: nesting + 1)) }
            let nesting = try self.nesting(of: values)
            return .dict(RenderDict(distinctKeys: object.keys.map { .string($0) }, values: values, nesting: nesting))
        }
    }

    private func checkNesting(_ nesting: Int) throws {
        guard nesting < limits.valueNestingMax else {
            throw ChatTemplateError(.limit, "the messages nest more than \(limits.valueNestingMax) levels deep")
        }
    }
}
