// Published tokenizers, to the same ids and the same text as the library they are published for.

import Testing

@testable import Text

@Suite("Published tokenizers", .enabled(if: ReferenceTokenizer.isPresent))
struct TokenizerReferenceTests {
    @Test("Ids, text and streamed text of every vector", arguments: ReferenceTokenizer.allCases)
    func vectors(reference: ReferenceTokenizer) throws {
        let tokenizer = try Tokenizer(tokenizerJSON: reference.json(), configurationJSON: nil)
        for vector in try reference.vectors() {
            #expect(tokenizer.encode(vector.text, addSpecialTokens: false) == vector.ids)
            #expect(tokenizer.encode(vector.text, addSpecialTokens: true) == vector.idsSpecial ?? vector.ids)
            let decoded = tokenizer.decode(vector.ids, skipSpecialTokens: false)
            #expect(sameBytes(decoded, vector.decoded ?? vector.text))

            var stream = StreamingDecoder(tokenizer: tokenizer, skipSpecialTokens: false)
            let parts = vector.ids.map { stream.push($0) } + [stream.finish()]
            #expect(sameBytes(parts.joined(), decoded))
            // Every part is whole characters: put together one by one they are the text's scalars, none torn.
            #expect(parts.flatMap(\.unicodeScalars).elementsEqual(decoded.unicodeScalars))
        }
    }

    @Test(
        "add_bos_token puts the first token where tokenizer.json does not, and once where it does",
        arguments: [
            (ReferenceTokenizer.deepSeekV2Lite, UInt32(100_000)), (.deepSeekCoder, 32_013), (.deepSeekLLM, 100_000),
        ])
    func beginningToken(reference: ReferenceTokenizer, id: UInt32) throws {
        let configuration = #"{"add_bos_token": true, "bos_token": {"content": "<｜begin▁of▁sentence｜>"}}"#
        let tokenizer = try Tokenizer(
            tokenizerJSON: reference.json(), configurationJSON: Array(configuration.utf8))
        #expect(tokenizer.bosTokenID == id)
        for vector in try reference.vectors().prefix(50) {
            #expect(tokenizer.encode(vector.text, addSpecialTokens: true) == [id] + vector.ids)
            #expect(tokenizer.encode(vector.text, addSpecialTokens: false) == vector.ids)
        }
    }

    @Test("Published vocabularies have the size their models' embeddings have rows for")
    func counts() throws {
        let qwen = try Tokenizer(tokenizerJSON: ReferenceTokenizer.qwen3.json(), configurationJSON: nil)
        #expect(qwen.vocabularyCount == 151_669)
        #expect(qwen.id(of: "<|im_end|>") == 151_645)
        #expect(qwen.isSpecial(151_645))
        #expect(!qwen.isSpecial(151_667), "<think> is shown")
        #expect(qwen.bytes(of: 151_645) == Array("<|im_end|>".utf8))
    }
}
