// JinjaFunctions: the functions a template can call by name.

/// The functions a template can call by name. The caller's variables come before them.
enum JinjaFunctions {
    static func named(_ name: String) -> RenderFunction? { bodies[name].map { RenderFunction(name: name, body: $0) } }

    private static let bodies: [String: RenderFunction.Body] = [
        "range": range, "dict": dict, "namespace": namespace, "cycler": cycler, "joiner": joiner,
        "raise_exception": raiseException, "strftime_now": strftimeNow,
    ]

    /// Underscores at the start are kept from namespaces, as the reference does.
    static func checkNamespaceName(_ name: String) throws {
        guard !name.hasPrefix("_") else {
            throw ChatTemplateError(
                .evaluation, "a namespace cannot hold '\(name)': names must not start with an underscore")
        }
    }

    private static let range: RenderFunction.Body = { interpreter, reader in
        let first = try reader.requiredInteger("start")
        let second = try reader.optionalInteger("stop")
        let step = try reader.optionalInteger("step") ?? 1
        try reader.finish()
        let (start, stop) = second.map { (first, $0) } ?? (0, first)
        guard step != 0 else { throw interpreter.failure("range() arg 3 must not be zero") }
        // Up to twice as far as an Int reaches.
        let distance = UInt(bitPattern: step > 0 ? stop &- start : start &- stop)
        let isEmpty = step > 0 ? stop <= start : start <= stop
        let count = isEmpty ? 0 : (distance - 1) / step.magnitude + 1
        let most = interpreter.budget.limits.rangeItemsMax
        guard count <= UInt(most) else {
            throw ChatTemplateError(.limit, "range() of more than \(most) items")
        }
        return .range(RenderRange(start: start, stop: stop, step: step, count: Int(count)))
    }

    /// A mapping or pairs, and named members after them.
    private static func members(
        _ interpreter: JinjaInterpreter, _ reader: inout ArgumentReader
    ) throws -> [(RenderValue, RenderValue)] {
        var members: [(RenderValue, RenderValue)] = []
        let positional = reader.remaining()
        guard positional.count <= 1 else { throw reader.failure("takes at most one positional argument") }
        if case .dict(let dict)? = positional.first {
            members = Array(zip(dict.keys, dict.values))
        } else if let pairs = positional.first {
            if case .undefined(let reason) = pairs { throw interpreter.failure(reason.message) }
            for pair in try interpreter.items(of: pairs) {
                let parts = try interpreter.items(of: pair)
                guard parts.count == 2 else { throw reader.failure("wants pairs of a key and a value") }
                members.append((parts[0], parts[1]))
            }
        }
        for (name, value) in reader.remainingNamed() { members.append((.string(name), value)) }
        return members
    }

    private static let dict: RenderFunction.Body = { interpreter, reader in
        let members = try members(interpreter, &reader)
        return try interpreter.budget.dict(members)
    }

    private static let namespace: RenderFunction.Body = { interpreter, reader in
        let members = try members(interpreter, &reader)
        guard case .dict(let dict) = try interpreter.budget.dict(members) else { return .none }
        let names = try dict.keys.map { key in
            guard let name = key.text else { throw interpreter.failure("a namespace's names must be strings") }
            try checkNamespaceName(name)
            return name
        }
        return try interpreter.makeNamespace(names: names, values: dict.values)
    }

    private static let cycler: RenderFunction.Body = { interpreter, reader in
        let values = reader.remaining()
        try reader.finish()
        guard !values.isEmpty else { throw interpreter.failure("at least one item has to be provided") }
        guard case .tuple(let tuple) = try interpreter.budget.tuple(values) else { return .none }
        return .object(RenderCycler(values: tuple))
    }

    private static let joiner: RenderFunction.Body = { interpreter, reader in
        let separator = try reader.optional("sep") ?? .string(", ")
        try reader.finish()
        try interpreter.budget.allocateValues(1)
        return .object(RenderJoiner(separator: separator, nesting: try interpreter.budget.nesting(of: [separator])))
    }

    private static let raiseException: RenderFunction.Body = { interpreter, reader in
        let message = try interpreter.text(of: try reader.required("message"))
        try reader.finish()
        throw ChatTemplateError(.raised, message)
    }

    private static let strftimeNow: RenderFunction.Body = { interpreter, reader in
        let format = try reader.requiredString("format")
        try reader.finish()
        return .string(try interpreter.clock.format(format))
    }
}
