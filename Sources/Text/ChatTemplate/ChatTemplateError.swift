// ChatTemplateError: why a chat template could not be read or rendered, and on which of its lines.

/// Why a chat template could not be read or rendered.
public struct ChatTemplateError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Who has to act on the error.
    public enum Kind: Equatable, Sendable {
        /// The template's own text is wrong, or uses a part of the language that is left out. Found when it is loaded.
        case syntax
        /// The template called `raise_exception`: it refuses these messages. The message is the template's own.
        case raised
        /// The template did something to these values that has no meaning, such as adding a list to a string.
        case evaluation
        /// One of the bounds of ``JinjaLimits`` was reached.
        case limit
    }

    public var kind: Kind

    /// What went wrong; for ``Kind/raised`` exactly the text the template gave.
    public var message: String

    /// The template's line, counted from 1, where it is known.
    public var line: Int?

    public init(_ kind: Kind, _ message: String, line: Int? = nil) {
        self.kind = kind
        self.message = message
        self.line = line
    }

    public var description: String {
        guard let line, kind != .raised else { return message }
        return "chat template, line \(line): \(message)"
    }
}
