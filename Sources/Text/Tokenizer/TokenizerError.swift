// Why a tokenizer could not be made from its files.

/// A tokenizer file that is missing, damaged, or asks for something that is not supported.
public struct TokenizerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file the problem is in: its path where the tokenizer was read from a directory, else its usual name.
    public let file: String
    /// Where in the file, as a path through its JSON (`pre_tokenizer.pretokenizers[1].pattern`); nil for all of it.
    public let field: String?
    /// What is wrong and, where it can be said, what would be right. One line.
    public let problem: String

    /// One line: the file, the field, the problem.
    public var description: String {
        field.map { "\(file): \($0): \(problem)" } ?? "\(file): \(problem)"
    }
}

/// A problem whose file is not known yet: what the parts of a tokenizer throw while they are put together.
struct TokenizerProblem: Error {
    var field: String?
    var problem: String

    init(field: String? = nil, _ problem: String) {
        self.field = field
        self.problem = problem
    }

    init(unsupported name: String, in field: String, supported: [String]) {
        self.init(field: field, "\(quoted(name)) is not supported; supported: \(supported.joined(separator: ", "))")
    }

    func error(inFile file: String) -> TokenizerError {
        TokenizerError(file: file, field: field, problem: problem)
    }
}

extension TokenizerProblem {
    /// What a JSON decoder found wrong, with the path of the value in question.
    init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            self.init(field: Self.path(context.codingPath + [key]), "is missing")
        case .valueNotFound(_, let context):
            self.init(field: Self.path(context.codingPath), "is null")
        case .typeMismatch(_, let context):
            self.init(field: Self.path(context.codingPath), context.debugDescription)
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            // On Linux Foundation does not say more than that.
            self.init("is not valid JSON; it may be cut off or damaged")
        case .dataCorrupted(let context):
            self.init(field: Self.path(context.codingPath), context.debugDescription)
        @unknown default:
            self.init("\(error)")
        }
    }

    /// `a.b[3].c` for a path of keys; nil for an empty one.
    static func path(_ keys: [any CodingKey]) -> String? {
        guard !keys.isEmpty else { return nil }
        return keys.reduce(into: "") { path, key in
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += (path.isEmpty ? "" : ".") + key.stringValue
            }
        }
    }
}

/// Text from a file inside a message: in quotation marks, on one line, and not too long to read.
func quoted(_ text: String) -> String {
    let excerptLength = 60
    let excerpt = String(text.unicodeScalars.prefix(excerptLength)).debugDescription
    return text.unicodeScalars.count > excerptLength ? excerpt + "…" : excerpt
}

/// The same for UTF-8.
func quoted(_ text: UnsafeBufferPointer<UInt8>) -> String {
    quoted(String(decoding: text, as: UTF8.self))
}
