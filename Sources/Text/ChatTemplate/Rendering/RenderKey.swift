// RenderKey: a value as key of a dict or member of a set.

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

    /// A value of any kind that was a key before, so that its cost has been counted.
    init?(anything value: RenderValue) {
        guard case .tuple(let tuple) = value else {
            self.init(scalar: value)
            return
        }
        self = .tuple(tuple.elements.compactMap { RenderKey(anything: $0) })
    }

    /// Any value but a tuple, for which see RenderBudget.key. Nil where it cannot be a key: lists and dicts.
    init?(scalar value: RenderValue) {
        switch value {
        case .none: self = .none
        case .undefined: self = .undefined
        case .bool(let value): self = .int(value ? 1 : 0)
        case .int(let value): self = .int(value)
        case .bigInteger(let digits): self = .digits(digits)
        case .double(let value): self = Int(exactly: value).map(RenderKey.int) ?? .double(value)
        case .string(let text), .markup(let text): self = .string(PythonText.Key(text))
        case .range(let range): self = .range(start: range.start, step: range.step, count: range.count)
        case .object(let object): self = .identity(ObjectIdentifier(object))
        case .list, .dict, .tuple: return nil
        }
    }
}
