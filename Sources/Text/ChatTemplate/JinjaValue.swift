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

/// An object: values under string keys, in the order in which the keys were first set.
public struct JinjaObject: Sendable {
    public private(set) var keys: [String] = []
    public private(set) var values: [JinjaValue] = []

    /// Where each key is; kept only once there are enough keys for a search through them to be slower.
    private var positions: [PythonText.Key: Int] = [:]
    private static let searchedKeysMax = 12

    public init() {}

    /// An object of these members. A key that comes twice keeps its first place and its last value, as in Python.
    public init(_ members: some Sequence<(String, JinjaValue)>) {
        for (key, value) in members { self[key] = value }
    }

    public var count: Int { keys.count }

    public subscript(key: String) -> JinjaValue? {
        get { position(of: key).map { values[$0] } }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?): values[position] = value
            case (let position?, nil):
                keys.remove(at: position)
                values.remove(at: position)
                positions = [:]
                if keys.count > Self.searchedKeysMax { indexKeys() }
            case (nil, let value?):
                keys.append(key)
                values.append(value)
                if keys.count == Self.searchedKeysMax + 1 { indexKeys() }
                if keys.count > Self.searchedKeysMax { positions[PythonText.Key(key)] = keys.count - 1 }
            case (nil, nil): break
            }
        }
    }

    private mutating func indexKeys() {
        for (position, key) in keys.enumerated() { positions[PythonText.Key(key)] = position }
    }

    private func position(of key: String) -> Int? {
        if keys.count > Self.searchedKeysMax { return positions[PythonText.Key(key)] }
        return keys.firstIndex { PythonText.equal($0, key) }
    }
}

extension JinjaObject: Equatable {
    public static func == (left: JinjaObject, right: JinjaObject) -> Bool {
        left.count == right.count && zip(left.keys, left.values).allSatisfy { right[$0] == $1 }
    }
}
