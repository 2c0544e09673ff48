// Why a model could not be had, in one line.

/// A model that cannot be found, fetched or kept. ``description`` is one line that says what to do.
public struct HubError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        /// Neither a path that exists nor an id.
        case reference
        /// An environment variable that cannot be right.
        case setting
        /// The hub has no such model, revision or file, or shows it to others only.
        case absent
        /// Terms that must be accepted, or a token that is wrong.
        case refused
        /// Downloads are switched off and something is missing.
        case offline
        /// The hub cannot be reached, or fails again and again.
        case unreachable
        /// The hub's answers do not fit each other, or the format.
        case contradiction
        /// What arrived is not what the hub says it should be.
        case damaged
        /// The disk is full, or something on it cannot be read or written.
        case disk
        /// Asked to stop.
        case interrupted
    }

    public let kind: Kind
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

extension String {
    /// On one line and of bearable length, whatever a server or a user put into it.
    var printable: String {
        let charactersMax = 200
        let text = String(prefix(charactersMax).map { $0.isNewline || $0 == "\0" ? " " : $0 })
        return text.count < count ? text + "…" : text
    }
}

/// Bytes as people read them: `4.3 GB`.
func sizeText(_ bytes: UInt64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 1000, unit < units.count - 1 {
        value /= 1000
        unit += 1
    }
    guard unit > 0 else { return "\(bytes) bytes" }
    // One decimal below a hundred.
    let tenths = Int((value * 10).rounded())
    return tenths < 1000 ? "\(tenths / 10).\(tenths % 10) \(units[unit])" : "\(Int(value.rounded())) \(units[unit])"
}
