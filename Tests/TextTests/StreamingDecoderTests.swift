// Text from tokens as they come.

import Testing

@testable import Text

@Suite("Streaming decoder")
struct StreamingDecoderTests {
    @Test("Tokens in any order become what the library makes of them, streamed or not")
    func anyTokens() throws {
        let tokenizer = try TokenizerFixture.byteLevel.tokenizer()
        for vector in try TokenizerFixture.lines("byte-level.decoding.jsonl", of: TokenizerFixture.Decoding.self) {
            for (skips, expected) in [(false, vector.decoded), (true, vector.decodedWithoutSpecial)] {
                #expect(sameBytes(tokenizer.decode(vector.ids, skipSpecialTokens: skips), expected))
                var stream = StreamingDecoder(tokenizer: tokenizer, skipSpecialTokens: skips)
                let parts = vector.ids.map { stream.push($0) } + [stream.finish()]
                #expect(sameBytes(parts.joined(), expected))
            }
        }
    }

    @Test("A character comes out whole, with its last token", arguments: TokenizerFixture.allCases)
    func wholeCharacters(fixture: TokenizerFixture) throws {
        let tokenizer = try fixture.tokenizer()
        for character in ["🙂", "ё", "龘", "\u{10FFFF}"] {
            let ids = tokenizer.encode("x\(character)", addSpecialTokens: false)
            var stream = StreamingDecoder(tokenizer: tokenizer, skipSpecialTokens: true)
            let parts = ids.map { stream.push($0) }
            #expect(stream.finish() == "")
            #expect(parts.joined().hasSuffix("x\(character)"))
            #expect(!parts.contains { $0.unicodeScalars.contains("\u{FFFD}") })
            #expect(parts.last == character)
        }
    }

    @Test("A special token between a character's bytes leaves it whole when special tokens are skipped")
    func specialTokenInside() throws {
        let tokenizer = try TokenizerFixture.byteLevel.tokenizer()
        let end = try #require(tokenizer.id(of: "<|end|>"))
        let ids = tokenizer.encode("🙂", addSpecialTokens: false)
        let torn = Array(ids[..<2]) + [end] + Array(ids[2...])
        #expect(tokenizer.decode(torn, skipSpecialTokens: true) == "🙂")
        #expect(tokenizer.decode(torn, skipSpecialTokens: false) == "\u{FFFD}<|end|>\u{FFFD}\u{FFFD}")
    }

    @Test("What was begun and not completed is replaced at the end, once")
    func unfinished() throws {
        let tokenizer = try TokenizerFixture.byteLevel.tokenizer()
        let ids = tokenizer.encode("🙂", addSpecialTokens: false)
        var stream = StreamingDecoder(tokenizer: tokenizer, skipSpecialTokens: true)
        #expect(ids.dropLast().map { stream.push($0) } == ["", "", ""])
        #expect(stream.finish() == "\u{FFFD}")
        #expect(stream.finish() == "")
    }

    @Test("Only the first blank of a text of characters is the model's own")
    func leadingBlank() throws {
        let tokenizer = try TokenizerFixture.characters.tokenizer()
        let ids = tokenizer.encode("  two blanks, then  two", addSpecialTokens: false)
        var stream = StreamingDecoder(tokenizer: tokenizer, skipSpecialTokens: true)
        #expect(ids.map { stream.push($0) }.joined() + stream.finish() == "  two blanks, then  two")
    }

    @Test("Random bytes are repaired as the standard library repairs them, however they are cut")
    func repairs() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                // Mostly bytes that begin or continue characters, so that whole and nearly whole ones occur.
                Bool.random(using: &generator)
                    ? UInt8.random(in: 0x80...0xBF, using: &generator) : UInt8.random(in: 0...255, using: &generator)
            }
            var assembler = UTF8Assembler(replacesEachByte: false)
            var output: [UInt8] = []
            for byte in bytes { assembler.push(byte, to: &output) }
            assembler.finish(to: &output)
            #expect(output == Array(String(decoding: bytes, as: UTF8.self).utf8))
        }
    }

    @Test("Broken bytes of a vocabulary of characters are replaced one by one")
    func brokenBytes() throws {
        let tokenizer = try TokenizerFixture.characters.tokenizer()
        let ids = try ["<0xE4>", "<0xBD>", "a"].map { try #require(tokenizer.id(of: $0)) }
        #expect(tokenizer.decode(ids, skipSpecialTokens: false) == "\u{FFFD}\u{FFFD}a")
    }
}
