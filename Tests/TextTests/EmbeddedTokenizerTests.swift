// Tokenizers as GGUF files embed them, to the ids of the libraries they come from.

import Foundation
import Testing

@testable import Text

@Suite("Embedded tokenizers") struct EmbeddedTokenizerTests {
    // MARK: Byte-level pairs

    /// A published tokenizer.json in a GGUF file's terms, as llama.cpp's converter puts it.
    private func embedded(_ reference: ReferenceTokenizer, pre: String) throws -> EmbeddedTokenizer {
        let file = try TokenizerFile(json: reference.json())
        let (normal, control, userDefined) = (1, 3, 4)
        let count = max((file.model.vocabulary.ids.max() ?? 0), Int(file.addedTokens.map(\.id).max() ?? 0)) + 1
        var embedded = EmbeddedTokenizer(
            file: "m.gguf", model: "gpt2", tokens: (0..<count).map { "[PAD\($0)]" })
        embedded.pre = pre
        // Unused, until something is found for an id.
        embedded.types = Array(repeating: 5, count: count)
        for (token, id) in zip(file.model.vocabulary.tokens, file.model.vocabulary.ids) {
            (embedded.tokens[id], embedded.types[id]) = (token, normal)
        }
        for token in file.addedTokens {
            embedded.tokens[Int(token.id)] = token.content
            embedded.types[Int(token.id)] = token.isSpecial ? control : userDefined
        }
        embedded.merges =
            switch file.model.merges {
            case .joined(let merges): merges
            case .pairs(let pairs): pairs.map { "\($0.left) \($0.right)" }
            case .scores: []
            }
        return embedded
    }

    @Test(
        "Ids and text are those of tokenizer.json", .enabled(if: ReferenceTokenizer.isPresent),
        arguments: [
            (ReferenceTokenizer.qwen3, "qwen2"), (.qwen25, "qwen2"), (.llama31, "llama-bpe"),
            (.deepSeekLLM, "deepseek-llm"), (.deepSeekV2Lite, "deepseek-llm"), (.deepSeekCoder, "deepseek-coder"),
            (.deepSeekV4, "deepseek-v3"),
        ])
    func bytePairs(reference: ReferenceTokenizer, pre: String) throws {
        let tokenizer = try Tokenizer(embedded(reference, pre: pre))
        for vector in try reference.vectors() {
            #expect(
                tokenizer.encode(vector.text, addSpecialTokens: false) == vector.ids, "\(vector.text.debugDescription)")
            let decoded = tokenizer.decode(vector.ids, skipSpecialTokens: false)
            #expect(sameBytes(decoded, vector.decoded ?? vector.text))
        }
    }

    @Test("Texts of Llama begin with a token unless the file says otherwise")
    func beginningToken() throws {
        var embedded = EmbeddedTokenizer(file: "m.gguf", model: "gpt2", tokens: ["a", "b", "<begin>", "<end>"])
        embedded.types = [1, 1, 3, 3]
        embedded.roles = ["bos_token": 2, "eos_token": 3]
        embedded.pre = "llama-bpe"
        #expect(try Tokenizer(embedded).encode("ab", addSpecialTokens: true) == [2, 0, 1])
        embedded.addsBeginningToken = false
        embedded.addsEndToken = true
        #expect(try Tokenizer(embedded).encode("ab<begin>", addSpecialTokens: true) == [0, 1, 2, 3])
        embedded.addsBeginningToken = nil
        embedded.pre = "qwen2"
        let tokenizer = try Tokenizer(embedded)
        #expect(tokenizer.encode("ab", addSpecialTokens: true) == [0, 1, 3])
        #expect(tokenizer.specialTokens == ["bos_token": "<begin>", "eos_token": "<end>"])
        #expect(tokenizer.isSpecial(2) && !tokenizer.isSpecial(0))
        #expect(tokenizer.endOfTextTokens == [3])
    }

    @Test("Tokens that end a turn in known vocabularies are found beside the one that is named")
    func endings() throws {
        var embedded = EmbeddedTokenizer(
            file: "m.gguf", model: "gpt2", tokens: ["<|im_end|>", "<|endoftext|>", "<|end|>", "a"])
        // The third is text like any other here.
        embedded.types = [3, 3, 1, 1]
        embedded.pre = "qwen2"
        embedded.roles = ["eos_token": 0]
        #expect(try Tokenizer(embedded).endOfTextTokens == [0, 1])
    }

    // MARK: SentencePiece

    /// Fixtures/tokenizer/make_sentencepiece.py makes it.
    private struct SentencePieceFixture: Decodable {
        struct Vector: Decodable {
            let text: String
            let ids: [UInt32]
            let decoded: String?
        }

        let tokens: [String]
        let scores: [Float]
        let types: [Int]
        let vectors: [Vector]

        static func read() throws -> SentencePieceFixture {
            try JSONDecoder().decode(Self.self, from: Data(TokenizerFixture.bytes("sentencepiece.json")))
        }

        var embedded: EmbeddedTokenizer {
            var embedded = EmbeddedTokenizer(file: "m.gguf", model: "llama", tokens: tokens)
            (embedded.scores, embedded.types) = (scores, types)
            embedded.roles = ["unk_token": 0, "bos_token": 1, "eos_token": 2]
            return embedded
        }
    }

    @Test("Ids and text are those of SentencePiece and llama.cpp")
    func sentencePiece() throws {
        let fixture = try SentencePieceFixture.read()
        let tokenizer = try Tokenizer(fixture.embedded)
        #expect(fixture.vectors.count > 70)
        for vector in fixture.vectors {
            #expect(
                tokenizer.encode(vector.text, addSpecialTokens: false) == vector.ids, "\(vector.text.debugDescription)")
            #expect(tokenizer.encode(vector.text, addSpecialTokens: true) == [1] + vector.ids)
            if let decoded = vector.decoded {
                #expect(sameBytes(tokenizer.decode(vector.ids, skipSpecialTokens: true), decoded))
            }
        }
    }

    @Test("A file may do without the blank before a text")
    func noPrefix() throws {
        let fixture = try SentencePieceFixture.read()
        var embedded = fixture.embedded
        embedded.addsSpacePrefix = false
        embedded.addsBeginningToken = false
        let tokenizer = try Tokenizer(embedded)
        let plain = try Tokenizer(fixture.embedded)
        #expect(
            tokenizer.encode(" the ring", addSpecialTokens: true) == plain.encode("the ring", addSpecialTokens: false))
        let ids = tokenizer.encode("the ring", addSpecialTokens: true)
        #expect(ids != plain.encode("the ring", addSpecialTokens: false))
        #expect(tokenizer.decode(ids, skipSpecialTokens: false) == "the ring")
    }

    // MARK: What is refused

    @Test(
        "What cannot be used is said with its key",
        arguments: [
            (#"m.gguf: tokenizer.ggml.pre: "unheard-of" is not supported; supported: chatglm-bpe, codeshell, dbrx"#, 0),
            ("m.gguf: tokenizer.ggml.pre: is missing, so nothing says how text is cut; use a file that was", 1),
            (#"m.gguf: tokenizer.ggml.model: "t5" is not supported; supported: gpt2, llama"#, 2),
            ("m.gguf: tokenizer.ggml.tokens: is missing or empty", 3),
            ("m.gguf: tokenizer.ggml.token_type: has 1 elements for 2 tokens", 4),
            ("m.gguf: tokenizer.ggml.scores: has 0 elements for 2 tokens", 5),
            ("m.gguf: tokenizer.ggml.bos_token_id: is 9, but there are 2 tokens", 6),
            (#"m.gguf: tokenizer.ggml.merges[0]: needs "ab", which tokenizer.ggml.tokens does not have"#, 7),
        ])
    func refusals(description: String, number: Int) {
        var embedded = EmbeddedTokenizer(file: "m.gguf", model: "gpt2", tokens: ["a", "b"])
        embedded.pre = "gpt-2"
        switch number {
        case 0: embedded.pre = "unheard-of"
        case 1: embedded.pre = nil
        case 2: embedded.model = "t5"
        case 3: embedded.tokens = []
        case 4: embedded.types = [1]
        case 5: embedded.model = "llama"
        case 6: embedded.roles = ["bos_token": 9]
        default: embedded.merges = ["a b"]
        }
        let error = #expect(throws: TokenizerError.self) { try Tokenizer(embedded) }
        #expect(error?.description.hasPrefix(description) == true, "\(error?.description ?? "")")
    }
}
