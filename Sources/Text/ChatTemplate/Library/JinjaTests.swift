// JinjaTests: what a template can ask with `is`.

/// The tests a template can ask for with `is`.
enum JinjaTests {
    /// Whether a value passes a test with some arguments.
    typealias Body = @Sendable (JinjaInterpreter, RenderValue, inout ArgumentReader) throws -> Bool

    static func named(_ name: String) -> Body? { name.utf8.count <= JinjaFilters.nameBytesMax ? all[name] : nil }

    static func unknown(_ name: String) -> String {
        name.utf8.count <= 100 ? "there is no test '\(name)'" : "there is no test of such a long name"
    }

    private static let all: [String: Body] = [
        "defined": plain { _, value in !value.isUndefined },
        "undefined": plain { _, value in value.isUndefined },
        "none": plain { _, value in value.isNone },
        "boolean": plain { _, value in if case .bool = value { true } else { false } },
        "true": plain { _, value in if case .bool(true) = value { true } else { false } },
        "false": plain { _, value in if case .bool(false) = value { true } else { false } },
        "integer": plain { _, value in
            switch value {
            case .int, .bigInteger: true
            default: false
            }
        },
        "float": plain { _, value in if case .double = value { true } else { false } },
        "number": plain { _, value in value.number != nil },
        "string": plain { _, value in value.text != nil },
        "mapping": plain { _, value in if case .dict = value { true } else { false } },
        "sequence": plain(isSequence),
        "iterable": plain(isIterable),
        "callable": plain { _, value in
            switch value {
            // Calling one is an error, but it can be tried.
            case .undefined: true
            case .object(let object): object.isCallable
            default: false
            }
        },
        "escaped": plain { _, value in value.isMarkup },
        "lower": plain { interpreter, value in PythonCase.isLower(try scanned(value, interpreter)) },
        "upper": plain { interpreter, value in PythonCase.isUpper(try scanned(value, interpreter)) },
        "odd": plain { interpreter, value in
            try interpreter.equal(try interpreter.arithmetic(value, .remainder, .int(2)), .int(1))
        },
        "even": plain { interpreter, value in
            try interpreter.equal(try interpreter.arithmetic(value, .remainder, .int(2)), .int(0))
        },
        "divisibleby": withOne("num") { interpreter, value, divisor in
            try interpreter.equal(try interpreter.arithmetic(value, .remainder, divisor), .int(0))
        },
        "filter": plain { _, value in value.text.map { JinjaFilters.named($0) != nil } ?? false },
        "test": plain { _, value in value.text.map { JinjaTests.named($0) != nil } ?? false },
        "sameas": withOne("other", isSame),
        "in": withOne("seq") { try $0.contains($2, $1) },
        "==": compared(.equal), "eq": compared(.equal), "equalto": compared(.equal),
        "!=": compared(.notEqual), "ne": compared(.notEqual),
        "<": compared(.less), "lt": compared(.less), "lessthan": compared(.less),
        "<=": compared(.lessOrEqual), "le": compared(.lessOrEqual),
        ">": compared(.greater), "gt": compared(.greater), "greaterthan": compared(.greater),
        ">=": compared(.greaterOrEqual), "ge": compared(.greaterOrEqual),
    ]

    private static func plain(_ passes: @escaping @Sendable (JinjaInterpreter, RenderValue) throws -> Bool) -> Body {
        { interpreter, value, reader in
            try reader.finish()
            return try passes(interpreter, value)
        }
    }

    private static func withOne(
        _ name: String, _ passes: @escaping @Sendable (JinjaInterpreter, RenderValue, RenderValue) throws -> Bool
    ) -> Body {
        { interpreter, value, reader in
            let other = try reader.required(name)
            try reader.finish()
            return try passes(interpreter, value, other)
        }
    }

    private static func compared(_ comparison: ComparisonOperator) -> Body {
        withOne("other") { try $0.holds($1, comparison, $2) }
    }

    private static func scanned(_ value: RenderValue, _ interpreter: JinjaInterpreter) throws -> String {
        let text = try interpreter.text(of: value)
        try interpreter.budget.walk(text)
        return text
    }

    /// Whether the value has a length and items. Namespaces and dict views have no items.
    @Sendable private static func isSequence(_ interpreter: JinjaInterpreter, _ value: RenderValue) -> Bool {
        switch value {
        case .undefined, .string, .markup, .list, .tuple, .dict, .range: true
        default: false
        }
    }

    @Sendable private static func isIterable(_ interpreter: JinjaInterpreter, _ value: RenderValue) -> Bool {
        switch value {
        case .undefined, .string, .markup, .list, .tuple, .dict, .range: true
        case .object(let object): object is RenderDictView || object is RenderIterator || object is RenderLoop
        default: false
        }
    }

    /// Python's identity, as far as values that cannot change have any: the same object, or equal and of one type.
    @Sendable private static func isSame(
        _ interpreter: JinjaInterpreter, _ left: RenderValue, _ right: RenderValue
    ) throws -> Bool {
        switch (left, right) {
        case (.list(let left), .list(let right)): left === right
        case (.tuple(let left), .tuple(let right)): left === right
        case (.dict(let left), .dict(let right)): left === right
        case (.range(let left), .range(let right)): left === right
        case (.bool, .bool), (.int, .int), (.double, .double), (.string, .string), (.markup, .markup),
            (.none, .none), (.object, .object):
            try interpreter.equal(left, right)
        default: false
        }
    }
}
