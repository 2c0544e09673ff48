// JinjaValue: the data a template is given: what JSON can say, with the order of keys kept.

/// Data for a template's variables.
///
/// What JSON can say, and `undefined` for a variable that is not there at all, which templates tell apart from `none`.
/// Read it from JSON with ``init(json:limits:)``, which keeps the order of keys as `tojson` must print them.
public indirect enum JinjaValue: Sendable {
    case undefined
    case none
    case bool(Bool)
    case int(Int)
    /// An integer beyond 64 bits, in decimal. It prints as it came; arithmetic on it is an error.
    case bigInteger(String)
    case double(Double)
    case string(String)
    case array([JinjaValue])
    case object(JinjaObject)
}

extension JinjaValue {
    /// The value under `key`, or nil where this is no object or has no such key.
    public subscript(key: String) -> JinjaValue? {
        guard case .object(let object) = self else { return nil }
        return object[key]
    }
}

extension JinjaValue: Equatable {
    /// Whether both are the same data. Strings are compared by their code points, as templates do, never by canonical
    /// equivalence; the order of an object's keys is ignored.
    public static func == (left: JinjaValue, right: JinjaValue) -> Bool {
        switch (left, right) {
        case (.undefined, .undefined), (.none, .none): true
        case (.bool(let left), .bool(let right)): left == right
        case (.int(let left), .int(let right)): left == right
        case (.bigInteger(let left), .bigInteger(let right)): left == right
        case (.double(let left), .double(let right)): left == right
        case (.string(let left), .string(let right)): PythonText.equal(left, right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}

extension JinjaValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .none }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JinjaValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JinjaValue)...) { self = .object(JinjaObject(elements)) }
}
