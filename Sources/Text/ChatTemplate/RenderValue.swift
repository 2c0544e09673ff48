// RenderValue: a value while a template renders: the data of JinjaValue, and what lives only during a rendering.

/// A value while a template renders.
///
/// Containers are immutable, as in the sandbox the reference uses; only namespaces and loops change.
enum RenderValue {
    case undefined(UndefinedReason)
    case none
    case bool(Bool)
    case int(Int)
    /// An integer beyond 64 bits, in decimal.
    case bigInteger(String)
    case double(Double)
    case string(String)
    /// A string marked safe, which escapes for HTML what is joined to it.
    case markup(String)
    case list(RenderList)
    case tuple(RenderTuple)
    case dict(RenderDict)
    case range(RenderRange)
    case object(RenderObject)

    static var emptyString: RenderValue { .string("") }
}

/// Why a value is undefined: what an error says when the template uses it.
enum UndefinedReason {
    case variable(String)
    case attribute(ownerName: String, name: String)
    case element(ownerName: String, shown: String)
    case explained(String)

    /// No such member of `owner`. Keeps no value: undefined values must not hold one another.
    init(owner: RenderValue, member: RenderValue) {
        switch member {
        case .string(let name), .markup(let name): self = .attribute(ownerName: owner.ownerName, name: name)
        case .int(let index): self = .element(ownerName: owner.ownerName, shown: String(index))
        default: self = .element(ownerName: owner.ownerName, shown: "of type \(member.typeName)")
        }
    }

    var message: String {
        switch self {
        case .variable(let name): "'\(name)' is undefined"
        case .attribute(let ownerName, let name): "'\(ownerName)' has no attribute '\(name)'"
        case .element(let ownerName, let shown): "\(ownerName) has no element \(shown)"
        case .explained(let text): text
        }
    }
}

/// A list, made once.
final class RenderList {
    let elements: [RenderValue]
    /// Levels of containers, this one included; see RenderBudget.container.
    let nesting: Int

    init(elements: [RenderValue], nesting: Int) {
        self.elements = elements
        self.nesting = nesting
    }
}

/// A tuple, made once.
final class RenderTuple {
    let elements: [RenderValue]
    let nesting: Int
    /// The names of its fields where it has any: `groupby` makes such tuples.
    let fieldNames: [String]

    init(elements: [RenderValue], nesting: Int, fieldNames: [String] = []) {
        self.elements = elements
        self.nesting = nesting
        self.fieldNames = fieldNames
    }
}

/// The integers from `start` by `step`, at most `JinjaLimits.rangeItemsMax` of them.
final class RenderRange {
    let start: Int
    let stop: Int
    let step: Int
    let count: Int

    init(start: Int, stop: Int, step: Int, count: Int) {
        self.start = start
        self.stop = stop
        self.step = step
        self.count = count
    }

    subscript(index: Int) -> RenderValue { .int(start + index * step) }
}

/// A dict, made once, in the order of insertion.
final class RenderDict {
    let keys: [RenderValue]
    let values: [RenderValue]
    let nesting: Int

    private static let searchedKeysMax = 12
    private lazy var positions: [RenderKey: Int] = {
        var positions: [RenderKey: Int] = [:]
        for (position, key) in keys.enumerated() {
            if let key = RenderKey(key) { positions[key] = position }
        }
        return positions
    }()

    /// A dict of these members, whose keys are known to differ.
    init(distinctKeys keys: [RenderValue], values: [RenderValue], nesting: Int) {
        self.keys = keys
        self.values = values
        self.nesting = nesting
    }

    subscript(key: String) -> RenderValue? {
        if keys.count > Self.searchedKeysMax { return positions[.string(PythonText.Key(key))].map { values[$0] } }
        let position = keys.firstIndex { candidate in
            switch candidate {
            case .string(let candidate), .markup(let candidate): PythonText.equal(candidate, key)
            default: false
            }
        }
        return position.map { values[$0] }
    }

    subscript(key: RenderKey) -> RenderValue? {
        if case .string(let key) = key { return self[key.text] }
        return positions[key].map { values[$0] }
    }
}

/// A value as key of a dict or member of a set: equal where Python's `==` and `hash` agree, so 1, 1.0 and true are one.
enum RenderKey: Hashable {
    case none
    case undefined
    case int(Int)
    case double(Double)
    case digits(String)
    case string(PythonText.Key)
    case tuple([RenderKey])
    case range(start: Int, step: Int, count: Int)
    case identity(ObjectIdentifier)

    /// Nil where the value cannot be a key: lists and dicts.
    init?(_ value: RenderValue) {
        switch value {
        case .none: self = .none
        case .undefined: self = .undefined
        case .bool(let value): self = .int(value ? 1 : 0)
        case .int(let value): self = .int(value)
        case .bigInteger(let digits): self = .digits(digits)
        case .double(let value): self = Int(exactly: value).map(RenderKey.int) ?? .double(value)
        case .string(let text), .markup(let text): self = .string(PythonText.Key(text))
        case .tuple(let tuple):
            var keys: [RenderKey] = []
            for element in tuple.elements {
                guard let key = RenderKey(element) else { return nil }
                keys.append(key)
            }
            self = .tuple(keys)
        case .range(let range): self = .range(start: range.start, step: range.step, count: range.count)
        case .object(let object): self = .identity(ObjectIdentifier(object))
        case .list, .dict: return nil
        }
    }
}

extension RenderValue {
    /// The name of Python's type, for messages.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "NoneType"
        case .bool: "bool"
        case .int, .bigInteger: "int"
        case .double: "float"
        case .string: "str"
        case .markup: "Markup"
        case .list: "list"
        case .tuple: "tuple"
        case .dict: "dict"
        case .range: "range"
        case .object(let object): object.typeName
        }
    }

    /// The same as Jinja says it of an owner that lacks a member: "dict object", but plain "None".
    var ownerName: String {
        if case .none = self { return "None" }
        return typeName + " object"
    }

    /// The text of a string, marked safe or not.
    var text: String? {
        switch self {
        case .string(let text), .markup(let text): text
        default: nil
        }
    }

    /// The value of an integer or bool that fits 64 bits.
    var integer: Int? {
        switch self {
        case .int(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    /// The value of a number.
    var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .bool(let value): value ? 1 : 0
        case .double(let value): value
        case .bigInteger(let digits): Double(digits)
        default: nil
        }
    }

    /// The elements of a list or tuple.
    var elements: [RenderValue]? {
        switch self {
        case .list(let list): list.elements
        case .tuple(let tuple): tuple.elements
        default: nil
        }
    }

    var isUndefined: Bool {
        if case .undefined = self { return true }
        return false
    }

    var isNone: Bool {
        if case .none = self { return true }
        return false
    }

    /// Python's truth: empty and zero are false.
    var isTruthy: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .int(let value): value != 0
        case .bigInteger: true
        case .double(let value): value != 0
        case .string(let text), .markup(let text): !text.isEmpty
        case .list(let list): !list.elements.isEmpty
        case .tuple(let tuple): !tuple.elements.isEmpty
        case .dict(let dict): !dict.keys.isEmpty
        case .range(let range): range.count > 0
        case .object(let object): object.isTruthy
        }
    }

    /// Levels of containers in the value.
    var nesting: Int {
        switch self {
        case .list(let list): list.nesting
        case .tuple(let tuple): tuple.nesting
        case .dict(let dict): dict.nesting
        case .object(let object): object.nesting
        default: 0
        }
    }
}
