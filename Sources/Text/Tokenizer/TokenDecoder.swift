// Turns tokens back into bytes of text.

/// The decoder of a tokenizer: what a token's spelling in the vocabulary stands for.
struct TokenDecoder: Sendable {
    private enum Spelling: Sendable {
        /// Bytes in `ByteLevelAlphabet`.
        case byteLevel
        /// Text with replacements (for the blank, mostly); `<0xHH>` is a byte when `hasBytes`.
        case text(replacements: [(from: [UInt8], to: [UInt8])], hasBytes: Bool)
    }

    private let spelling: Spelling
    /// Removed from the very beginning of a text, up to so many times.
    private let leading: (bytes: [UInt8], count: Int)

    /// Bytes that no character came of are replaced one by one rather than together.
    var replacesEachByte: Bool {
        if case .text = spelling { true } else { false }
    }

    /// - Throws: `TokenizerProblem` when there is no decoder, or its parts are combined in a way no model does.
    init(_ definition: DecoderDefinition?) throws {
        guard let definition else {
            throw TokenizerProblem(field: "decoder", "is missing or null; without it no token can become text")
        }
        let parts = Self.flattened(definition)
        var replacements: [(from: [UInt8], to: [UInt8])] = []
        var leading: (bytes: [UInt8], count: Int) = ([], 0)
        var isByteLevel = false
        var hasBytes = false
        var isFused = false
        for part in parts {
            switch part {
            case .byteLevel:
                guard parts.count == 1 else {
                    throw TokenizerProblem(field: "decoder", "combines ByteLevel with others, which is not supported")
                }
                isByteLevel = true
            case .byteFallback:
                hasBytes = true
            case .fuse:
                isFused = true
            case .replace(let from, let to):
                guard !from.isEmpty, !isFused else {
                    throw TokenizerProblem(
                        field: "decoder", "replaces nothing, or after Fuse, which is not supported")
                }
                replacements.append((Array(from.utf8), Array(to.utf8)))
            case .strip(let scalar, let start):
                guard isFused, leading.count == 0, start >= 0 else {
                    throw TokenizerProblem(
                        field: "decoder", "has a Strip that is not the only one and after Fuse, which is not supported")
                }
                leading = (Array(String(scalar).utf8), start)
            case .sequence:
                break
            }
        }
        self.leading = leading
        spelling = isByteLevel ? .byteLevel : .text(replacements: replacements, hasBytes: hasBytes)
    }

    private static func flattened(_ definition: DecoderDefinition) -> [DecoderDefinition] {
        if case .sequence(let parts) = definition { parts.flatMap(flattened) } else { [definition] }
    }

    /// Appends the bytes a token stands for, wherever in a text it is.
    func appendBytes(ofToken content: some Collection<UInt8>, to output: inout [UInt8]) {
        switch spelling {
        case .byteLevel:
            ByteLevelAlphabet.appendBytes(ofToken: content, to: &output)
        case .text(let replacements, let hasBytes):
            if hasBytes, let byte = Self.byte(Array(content)) {
                output.append(byte)
            } else {
                output += replacements.reduce(Array(content)) { Self.replace($1.from, by: $1.to, in: $0) }
            }
        }
    }

    /// Removes from a text's first bytes what does not belong to it. `stripped` counts what was removed so far, over
    /// the tokens of a text; once something else came, it is `Int.max`.
    func stripLeading(_ bytes: inout [UInt8], stripped: inout Int) {
        while stripped < leading.count, !bytes.isEmpty {
            if bytes.starts(with: leading.bytes) {
                bytes.removeFirst(leading.bytes.count)
                stripped += 1
            } else {
                stripped = .max
            }
        }
    }

    /// The byte that `<0xHH>` stands for.
    private static func byte(_ content: [UInt8]) -> UInt8? {
        guard content.count == 6, content.starts(with: "<0x".utf8), content.last == UInt8(ascii: ">") else {
            return nil
        }
        return UInt8(String(decoding: content[3..<5], as: UTF8.self), radix: 16)
    }

    private static func replace(_ from: [UInt8], by to: [UInt8], in content: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = content[...]
        while let first = rest.first {
            if rest.starts(with: from) {
                result += to
                rest.removeFirst(from.count)
            } else {
                result.append(first)
                rest.removeFirst()
            }
        }
        return result
    }
}
