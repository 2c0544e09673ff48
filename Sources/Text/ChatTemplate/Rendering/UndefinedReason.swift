// UndefinedReason: why a value is undefined.

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
