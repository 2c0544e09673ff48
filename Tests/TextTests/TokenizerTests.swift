// Text to ids and back with small tokenizers, to the same ids and text as the library they were made with.

import Foundation
import Testing

@testable import Text

@Suite("Tokenizer")
struct TokenizerTests {
    @Test("Every vector of the fixtures", arguments: TokenizerFixture.allCases)
    func vectors(fixture: TokenizerFixture) throws {
        let tokenizer = try fixture.tokenizer()
        for vector in try fixture.vectors() {
            #expect(tokenizer.encode(vector.text, addSpecialTokens: false) == vector.ids)
            #expect(tokenizer.encode(vector.text, addSpecialTokens: true) == vector.idsWithSpecial)
            #expect(sameBytes(tokenizer.decode(vector.ids, skipSpecialTokens: false), vector.decoded))
            #expect(sameBytes(tokenizer.decode(vector.ids, skipSpecialTokens: true), vector.decodedWithoutSpecial))
        }
    }

    @Test("A second text finds what the first one left, and becomes the same", arguments: TokenizerFixture.allCases)
    func again(fixture: TokenizerFixture) throws {
        let tokenizer = try fixture.tokenizer()
        let vectors = try fixture.vectors()
        let first = vectors.map { tokenizer.encode($0.text, addSpecialTokens: false) }
        #expect(first == vectors.reversed().map { tokenizer.encode($0.text, addSpecialTokens: false) }.reversed())
    }

    @Test("Ids of tokens that were merged, of any length, are those of a plain reading of the rules")
    func merging() throws {
        let fixture = TokenizerFixture.byteLevel
        let tokenizer = try fixture.tokenizer()
        let plain = try PlainByteLevelEncoder(json: fixture.json())
        var generator = SeededGenerator(seed: 1)
        let letters = Array("aeilnorst")
        for length in 1...200 {
            let word = String((0..<length).map { _ in letters.randomElement(using: &generator) ?? "e" })
            #expect(tokenizer.encode(word, addSpecialTokens: false) == plain.encode(word))
        }
    }

    @Test("Any bytes made text survive the way there and back, in normal form")
    func roundTrip() throws {
        let tokenizer = try TokenizerFixture.byteLevel.tokenizer()
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<300 {
            let bytes = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let decoded = tokenizer.decode(
                tokenizer.encode(text, addSpecialTokens: false), skipSpecialTokens: false)
            // Swift compares by canonical equivalence: the same text, whatever its normal form.
            #expect(decoded == text)
        }
    }

    @Test("What tokens stand for, by id and by name")
    func tokens() throws {
        let tokenizer = try TokenizerFixture.byteLevel.tokenizer()
        #expect(tokenizer.vocabularyCount == 427)
        #expect(tokenizer.id(of: "<|end|>") == 421)
        #expect(tokenizer.isSpecial(421))
        #expect(tokenizer.bytes(of: 421) == Array("<|end|>".utf8))
        #expect(!tokenizer.isSpecial(423), "<left> is an added token, not a special one")
        #expect(tokenizer.id(of: "no such token") == nil)
        #expect(tokenizer.bytes(of: 427) == nil)
        #expect(tokenizer.bytes(of: .max) == nil)
        #expect(!tokenizer.isSpecial(.max))
        // One byte of a character is a token of its own.
        let ids = tokenizer.encode("🙂", addSpecialTokens: false)
        #expect(ids.count == 4)
        #expect(ids.flatMap { tokenizer.bytes(of: $0) ?? [] } == Array("🙂".utf8))
        let blank = try #require(tokenizer.id(of: "Ġ"))
        #expect(tokenizer.bytes(of: blank) == [0x20])
    }

    @Test("Bytes of a vocabulary of characters")
    func characterTokens() throws {
        let tokenizer = try TokenizerFixture.characters.tokenizer()
        let byte = try #require(tokenizer.id(of: "<0xE4>"))
        #expect(tokenizer.bytes(of: byte) == [0xE4])
        let word = try #require(tokenizer.encode(" layer", addSpecialTokens: false).last)
        #expect(tokenizer.bytes(of: word)?.isEmpty == false)
    }

    @Test("Many threads may encode at once")
    func concurrently() async throws {
        let fixture = TokenizerFixture.byteLevel
        let tokenizer = try fixture.tokenizer()
        let expected = try fixture.vectors().map(\.ids)
        let texts = try fixture.vectors().map(\.text)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<16 {
                group.addTask { texts.map { tokenizer.encode($0, addSpecialTokens: false) } == expected }
            }
            for await agrees in group { #expect(agrees) }
        }
    }

    @Test("Text made to be slow is not: a megabyte of anything is done in moments")
    func hostileText() throws {
        let whitespace = #"{"type":"Split","pattern":{"Regex":"\\s+$"},"behavior":"Isolated","invert":false}"#
        let json = try TokenizerFixture.byteLevel.json(
            replacing: #""pretokenizers":["#, with: #""pretokenizers":[\#(whitespace),"#)
        let tokenizer = try Tokenizer(tokenizerJSON: json, configurationJSON: nil)
        let byteCount = 1_000_000
        // Each of these is quadratic for a search that starts again at every character, for merging by rescanning,
        // or for sorting the marks on one letter: with this length they would not end within a day.
        for unit in [" ", "a", "\u{301}", "e\u{301}", "<|", "-", " \n", "ab", "\t1"] {
            let text = String(repeating: unit, count: byteCount / unit.utf8.count) + "1"
            let decoded = tokenizer.decode(
                tokenizer.encode(text, addSpecialTokens: false), skipSpecialTokens: false)
            let changesInNormalForm = unit == "e\u{301}"
            #expect(changesInNormalForm || sameBytes(decoded, text))
        }
    }
}

/// Byte-pair encoding as its definition has it, without anything that makes it quick: again and again, merge the
/// leftmost pair of the lowest rank.
private struct PlainByteLevelEncoder {
    private struct File: Decodable {
        struct Model: Decodable {
            let vocab: [String: UInt32]
            let merges: [[String]]
        }

        let model: Model
    }

    private let vocabulary: [String: UInt32]
    private let ranks: [[String]: Int]

    init(json: [UInt8]) throws {
        let model = try JSONDecoder().decode(File.self, from: Data(json)).model
        vocabulary = model.vocab
        ranks = Dictionary(model.merges.enumerated().map { ($1, $0) }) { $1 }
    }

    /// - Parameter word: of letters that a byte-level vocabulary writes as they are.
    func encode(_ word: String) -> [UInt32] {
        var symbols = word.map(String.init)
        while true {
            var best: (rank: Int, index: Int)?
            for index in symbols.indices.dropLast() {
                guard let rank = ranks[[symbols[index], symbols[index + 1]]], rank < best?.rank ?? .max else {
                    continue
                }
                best = (rank, index)
            }
            guard let best else { break }
            symbols[best.index] += symbols.remove(at: best.index + 1)
        }
        return symbols.compactMap { vocabulary[$0] }
    }
}
