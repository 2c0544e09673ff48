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

    var isPlainString: Bool {
        if case .string = self { return true }
        return false
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
