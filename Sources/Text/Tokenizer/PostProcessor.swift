// The special tokens put round a text.

/// What is put before and behind the tokens of a text when special tokens are asked for.
struct PostProcessor: Sendable, Equatable {
    private(set) var prefix: [UInt32] = []
    private(set) var suffix: [UInt32] = []

    /// - Parameter isToken: whether an id is a token's.
    /// - Throws: `TokenizerProblem` when a template does not hold the text exactly once or names an unknown token.
    init(_ definition: PostProcessorDefinition?, isToken: (UInt32) -> Bool) throws {
        try definition.map { try apply($0, field: "post_processor", isToken) }
    }

    private mutating func apply(
        _ definition: PostProcessorDefinition, field: String, _ isToken: (UInt32) -> Bool
    ) throws {
        switch definition {
        case .byteLevel:
            break
        case .template(let pieces, let specialTokens):
            var before: [UInt32] = []
            var after: [UInt32] = []
            var texts = 0
            for (index, piece) in pieces.enumerated() {
                switch piece {
                case .text:
                    texts += 1
                case .specialToken(let name):
                    guard let token = specialTokens[name] else {
                        throw TokenizerProblem(
                            field: "\(field).single[\(index)]",
                            "names \(quoted(name)), which special_tokens does not have")
                    }
                    let ids = try token.ids.map { id in
                        guard let known = UInt32(exactly: id), isToken(known) else {
                            throw TokenizerProblem(
                                field: "\(field).special_tokens", "has the id \(id), which is no token's")
                        }
                        return known
                    }
                    if texts == 0 { before += ids } else { after += ids }
                }
            }
            guard texts == 1 else {
                throw TokenizerProblem(field: field + ".single", "must hold the text once, it holds it \(texts) times")
            }
            prefix = before + prefix
            suffix += after
        case .sequence(let definitions):
            for (index, definition) in definitions.enumerated() {
                try apply(definition, field: "\(field).processors[\(index)]", isToken)
            }
        }
    }

    /// Follows `add_bos_token` and `add_eos_token` of `tokenizer_config.json`, which outrank the template: the token
    /// is there once when asked for, and not there when it is asked not to be.
    mutating func follow(_ configuration: TokenizerConfiguration, beginningID: UInt32?, endID: UInt32?) throws {
        if let adds = configuration.addsBeginningToken {
            let id = try Self.requiredID(beginningID, ifTrue: adds, flag: "add_bos_token", role: "bos_token")
            prefix.removeAll { $0 == id }
            if adds, let id { prefix.insert(id, at: 0) }
        }
        if let adds = configuration.addsEndToken {
            let id = try Self.requiredID(endID, ifTrue: adds, flag: "add_eos_token", role: "eos_token")
            suffix.removeAll { $0 == id }
            if adds, let id { suffix.append(id) }
        }
    }

    private static func requiredID(_ id: UInt32?, ifTrue adds: Bool, flag: String, role: String) throws -> UInt32? {
        guard !adds || id != nil else {
            throw TokenizerProblem(field: flag, "is true, but no \(role) that tokenizer.json knows is given")
        }
        return id
    }
}
