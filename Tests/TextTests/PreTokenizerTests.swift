// How text is cut into pieces: the same as by the library that defines the format.

import Testing

@testable import Text

@Suite("Pre-tokenizer")
struct PreTokenizerTests {
    @Test("Every kind of pre-tokenizer and what regular expressions mean in it")
    func pieces() throws {
        for vector in try TokenizerFixture.lines("pieces.jsonl", of: TokenizerFixture.Pieces.self) {
            let preTokenizer = try PreTokenizer(vector.definition)
            for result in vector.results {
                #expect(pieces(of: result.text, preTokenizer) == result.pieces, "\(vector.definition)")
            }
        }
    }

    @Test("Put together, the pieces are the text again, where nothing is removed")
    func nothingLost() throws {
        let vectors = try TokenizerFixture.lines("pieces.jsonl", of: TokenizerFixture.Pieces.self)
        var generator = SeededGenerator(seed: 4)
        let characters = Array("ab -1\n\t'sé一🙂\u{301}\u{3000}]")
        for vector in vectors where !vector.definition.removesText {
            let preTokenizer = try PreTokenizer(vector.definition)
            for _ in 0..<20 {
                let text = String((0..<12).map { _ in characters.randomElement(using: &generator) ?? "a" })
                let joined = pieces(of: text, preTokenizer).joined()
                #expect(sameBytes(joined.filter { $0 != " " }, text.filter { $0 != " " }), "\(vector.definition)")
            }
        }
    }

    @Test(
        "What PCRE2 cannot match as Oniguruma does is refused",
        arguments: [
            ("[a-z&&[^b]]+", "intersects"), ("[a[bc]]+", "set inside a set"), ("[[:alpha:]]", "set inside a set"),
            (#"\y"#, #"\y"#), (#"[\W]"#, #"\W"#),
            ("(", "byte 1"), ("a**b(", "no regular expression"), (#"\p{NoSuchProperty}"#, "no regular expression"),
            (#"\d{1,2}+"#, "{1,2}"),
        ])
    func refused(pattern: String, reason: String) throws {
        let definition = PreTokenizerDefinition.split(.regex(pattern), .isolated, inverted: false)
        let problem = #expect(throws: TokenizerProblem.self) { try PreTokenizer(definition) }
        #expect(problem?.field == "pre_tokenizer.pattern")
        #expect(problem?.problem.contains(reason) == true, "\(problem?.problem ?? "")")
    }

    @Test("A search that would take for ever is given up, and the text left in one piece")
    func endlessSearch() throws {
        let preTokenizer = try PreTokenizer(.split(.regex("(?:(?:a+)+)+b"), .isolated, inverted: false))
        let text = String(repeating: "a", count: 60)
        #expect(pieces(of: text, preTokenizer) == [text])
    }

    private func pieces(of text: String, _ preTokenizer: PreTokenizer) -> [String] {
        var text = text
        return text.withUTF8 { utf8 in
            EncodingWorkspacePool().withWorkspace { workspace in
                let (bytes, ranges) = preTokenizer.pieces(of: utf8, workspace)
                return ranges.map { String(decoding: bytes[$0.start..<$0.end], as: UTF8.self) }
            }
        }
    }
}

extension PreTokenizerDefinition {
    fileprivate var removesText: Bool {
        switch self {
        case .split(_, .removed, _), .punctuation(.removed), .whitespace, .whitespaceSplit: true
        case .sequence(let parts): parts.contains(where: \.removesText)
        default: false
        }
    }
}
