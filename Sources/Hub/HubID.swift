// What `-m` names: a path, or a model on the Hugging Face hub.

internal import Glibc

/// A model on the hub, such as `Qwen/Qwen3-4B` or `Qwen/Qwen3-4B@main`.
public struct HubID: Hashable, Sendable, CustomStringConvertible {
    /// `organization/name`.
    public let repository: String
    /// A branch, a tag or a commit.
    public let revision: String

    static let revisionStandard = "main"
    /// The hub's own limit for each part of a repository's name.
    private static let partBytesMax = 96
    private static let revisionBytesMax = 255

    /// `nil` where the text cannot be an id.
    public init?(_ text: String) {
        let halves = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = halves[0].split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy(Self.isName), !halves[0].hasSuffix(".git") else { return nil }
        repository = String(halves[0])
        revision = halves.count == 2 ? String(halves[1]) : Self.revisionStandard
        guard Self.isRevision(revision) else { return nil }
    }

    public var description: String {
        revision == Self.revisionStandard ? repository : "\(repository)@\(revision)"
    }

    /// Letters, digits, `-`, `_` and `.`, neither of the last two doubled or outermost: the hub's rule.
    private static func isName(_ part: Substring) -> Bool {
        guard 1...partBytesMax ~= part.utf8.count, !part.contains("--"), !part.contains("..") else { return false }
        return part.utf8.allSatisfy(isWordByte) && !".-".contains(part.first ?? ".") && !".-".contains(part.last ?? ".")
    }

    private static func isRevision(_ text: String) -> Bool {
        1...revisionBytesMax ~= text.utf8.count && text.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: "/") }
            && text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && !$0.hasPrefix(".")
            }
            && !text.contains("..")
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}

/// What the text after `-m` means. A path that exists is a path, whatever else it might be.
public enum ModelReference: Hashable, Sendable {
    case path(String)
    case hub(HubID)

    /// - Throws: when there is no such path and the text is no id; the error names both readings.
    public init(parsing text: String) throws(HubError) {
        var status = stat()
        if stat(text, &status) == 0 {
            self = .path(text)
            return
        }
        let looksLikePath = ["/", "./", "../", "~"].contains { text.hasPrefix($0) } || text.hasSuffix("/")
        if !looksLikePath, let id = HubID(text) {
            self = .hub(id)
            return
        }
        throw HubError(
            .reference,
            looksLikePath || text.split(separator: "/").count > 2
                ? "\(text.printable): there is no such model directory; give one that exists, "
                    + "or a Hugging Face id such as Qwen/Qwen3-4B"
                : "\(text.printable): there is no such model directory, and a Hugging Face id is "
                    + "organization/name or organization/name@revision, such as Qwen/Qwen3-4B")
    }
}
