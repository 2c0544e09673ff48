// JinjaObject: an object of JSON with its keys in the order in which they were written.

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
