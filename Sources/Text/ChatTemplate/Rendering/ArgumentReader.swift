// ArgumentReader: hands a call's arguments to a built-in function one parameter after another, as Python binds them.

/// The arguments of a call, evaluated.
struct RenderArguments {
    var positional: [RenderValue] = []
    var named: [(name: String, value: RenderValue)] = []
}

/// Takes a call's arguments one parameter after another. Call ``finish()`` when all parameters have been asked for.
struct ArgumentReader {
    /// What is called, for messages.
    let function: String
    private(set) var arguments: RenderArguments
    private var position = 0

    init(_ function: String, _ arguments: RenderArguments) {
        self.function = function
        self.arguments = arguments
    }

    func failure(_ message: String) -> ChatTemplateError { ChatTemplateError(.evaluation, "\(function): \(message)") }

    /// The parameter `name`, nil if it is not given.
    mutating func optional(_ name: String) throws -> RenderValue? {
        let namedPosition = arguments.named.firstIndex { $0.name == name }
        if position < arguments.positional.count {
            guard namedPosition == nil else { throw failure("the argument '\(name)' is given twice") }
            position += 1
            return arguments.positional[position - 1]
        }
        return namedPosition.map { arguments.named.remove(at: $0).value }
    }

    mutating func required(_ name: String) throws -> RenderValue {
        guard let value = try optional(name) else { throw failure("the argument '\(name)' is missing") }
        return value
    }

    /// Everything positional that was not asked for.
    mutating func remaining() -> [RenderValue] {
        defer { position = arguments.positional.count }
        return Array(arguments.positional[position...])
    }

    /// Everything named that was not asked for.
    mutating func remainingNamed() -> [(name: String, value: RenderValue)] {
        defer { arguments.named = [] }
        return arguments.named
    }

    /// Checks that nothing is left over.
    func finish() throws {
        if let extra = arguments.named.first { throw failure("there is no argument '\(extra.name)'") }
        let count = arguments.positional.count
        guard position == count else { throw failure("takes at most \(position) arguments, \(count) were given") }
    }

    // MARK: Arguments of one type

    mutating func optionalString(_ name: String) throws -> String? {
        guard let value = try optional(name), !value.isNone else { return nil }
        return try string(value, name)
    }

    mutating func requiredString(_ name: String) throws -> String { try string(try required(name), name) }

    private func string(_ value: RenderValue, _ name: String) throws -> String {
        if case .undefined(let reason) = value { throw ChatTemplateError(.evaluation, reason.message) }
        guard let text = value.text else { throw failure("'\(name)' must be a string, not \(value.typeName)") }
        return text
    }

    mutating func optionalInteger(_ name: String) throws -> Int? {
        guard let value = try optional(name), !value.isNone else { return nil }
        return try integer(value, name)
    }

    mutating func requiredInteger(_ name: String) throws -> Int { try integer(try required(name), name) }

    private func integer(_ value: RenderValue, _ name: String) throws -> Int {
        if case .undefined(let reason) = value { throw ChatTemplateError(.evaluation, reason.message) }
        if case .bigInteger(let digits) = value { return digits.hasPrefix("-") ? .min : .max }
        guard let integer = value.integer else { throw failure("'\(name)' must be an integer, not \(value.typeName)") }
        return integer
    }

    /// The truth of a parameter, false if it is not given.
    mutating func flag(_ name: String, default isOn: Bool = false) throws -> Bool {
        try optional(name)?.isTruthy ?? isOn
    }
}
