// What can be wrong with a checkpoint, in one line.

/// A model directory, or a file or tensor in it, that cannot be used. ``description`` is one line that names the file
/// and the tensor.
public struct CheckpointError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        /// A directory or file that is not there.
        case missingFile
        /// The system refused to open, read or map it.
        case unreadable
        /// Its bytes are not what the format says.
        case malformed
        /// The file ends before its contents do.
        case truncated
        /// Well-formed, but of a kind this program does not know.
        case unsupported
        /// A tensor that the model needs and the checkpoint lacks.
        case missingTensor
        /// A tensor of another shape than the model needs.
        case wrongShape
    }

    public let kind: Kind
    /// File or directory, as far as it helps to find it.
    public let file: String?
    /// Full name of the tensor.
    public let tensor: String?
    public let reason: String

    public init(_ kind: Kind, file: String? = nil, tensor: String? = nil, _ reason: String) {
        self.kind = kind
        self.file = file
        self.tensor = tensor
        self.reason = reason
    }

    public var description: String {
        var parts: [String] = []
        if let file { parts.append(file.printable) }
        if let tensor { parts.append("tensor \(tensor.quoted)") }
        parts.append(reason)
        return parts.joined(separator: ": ")
    }
}

extension String {
    /// Itself in single quotes, on one line and of bearable length, whatever a file put into it.
    var quoted: String { "'\(printable)'" }

    /// Itself on one line and of bearable length.
    var printable: String {
        // The longest names of published tensors have some 100 characters.
        let charactersMax = 200
        var result = ""
        for scalar in unicodeScalars.prefix(charactersMax) {
            if scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
                || scalar.properties.generalCategory.breaksLine
            {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return unicodeScalars.dropFirst(charactersMax).isEmpty ? result : result + "…"
    }
}

extension Unicode.GeneralCategory {
    fileprivate var breaksLine: Bool { self == .lineSeparator || self == .paragraphSeparator || self == .format }
}
