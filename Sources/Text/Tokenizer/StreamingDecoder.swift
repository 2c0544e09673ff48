// Text from tokens as they come, whole characters only.

/// Decodes the tokens of one sequence one after the other. What it returns, put together, is what
/// `Tokenizer.decode` makes of all of them; no part ends inside a character.
public struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecialTokens: Bool
    private var assembler: UTF8Assembler
    /// How much was stripped from the beginning of the text.
    private var stripped = 0
    private var tokenBytes: [UInt8] = []

    /// - Parameter skipSpecialTokens: whether special tokens leave no text.
    public init(tokenizer: Tokenizer, skipSpecialTokens: Bool) {
        self.tokenizer = tokenizer
        self.skipSpecialTokens = skipSpecialTokens
        assembler = UTF8Assembler(replacesEachByte: tokenizer.decoder.replacesEachByte)
    }

    /// Takes the next token. Returns the text that is complete with it: nothing while a character of several bytes
    /// is open, and nothing for an id that no token has.
    public mutating func push(_ id: UInt32) -> String {
        var text: [UInt8] = []
        push(id, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Says that no more tokens come. Returns U+FFFD for a character that was begun and not completed.
    public mutating func finish() -> String {
        var text: [UInt8] = []
        assembler.finish(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends the UTF-8 of what `push` returns.
    mutating func push(_ id: UInt32, to text: inout [UInt8]) {
        guard !(skipSpecialTokens && tokenizer.isSpecial(id)) else { return }
        tokenBytes.removeAll(keepingCapacity: true)
        guard tokenizer.appendBytes(of: id, to: &tokenBytes) else { return }
        tokenizer.decoder.stripLeading(&tokenBytes, stripped: &stripped)
        for byte in tokenBytes { assembler.push(byte, to: &text) }
    }
}
