// Files that are damaged or ask for what is not supported: one line that says what is wrong and where.

import Foundation
import Testing

@testable import Text

@Suite("Tokenizer files")
struct TokenizerFileTests {
    /// A change to a good file, and what the error must name.
    struct Fault: Sendable, CustomTestStringConvertible {
        let old: String
        let new: String
        let field: String?
        let problem: String

        var testDescription: String { "\(field ?? "file"): \(problem)" }

        init(_ old: String, _ new: String, field: String?, _ problem: String) {
            (self.old, self.new, self.field, self.problem) = (old, new, field, problem)
        }
    }

    @Test(
        "Each fault is named with its place",
        arguments: [
            Fault(
                #""type":"BPE""#, #""type":"Unigram""#, field: "model.type",
                #""Unigram" is not supported; supported: BPE"#),
            Fault(#""type":"NFC""#, #""type":"BertNormalizer""#, field: "normalizer.type", "BertNormalizer"),
            Fault(
                #""type":"Split""#, #""type":"UnicodeScripts""#, field: "pre_tokenizer.pretokenizers[0].type", "Split"),
            Fault(
                #""behavior":"Isolated""#, #""behavior":"Sideways""#, field: "pre_tokenizer.pretokenizers[0].behavior",
                "Sideways"),
            Fault(
                #"{"Regex":"(?i:"#, #"{"Regex":"((?i:"#, field: "pre_tokenizer.pretokenizers[0].pattern", "parenthes"),
            Fault(
                #""type":"TemplateProcessing""#, #""type":"RobertaProcessing""#,
                field: "post_processor.processors[1].type", "RobertaProcessing"),
            Fault(
                #"{"SpecialToken":{"id":"<|begin|>""#, #"{"SpecialToken":{"id":"<|start|>""#,
                field: "post_processor.processors[1].single[0]", "<|start|>"),
            Fault(
                #""decoder":{"type":"ByteLevel""#, #""decoder":{"type":"WordPiece""#, field: "decoder.type", "WordPiece"
            ),
            Fault(#""ids":[420]"#, #""ids":[-1]"#, field: "post_processor.processors[1].special_tokens", "-1"),
            Fault(#""ids":[420]"#, #""ids":[427]"#, field: "post_processor.processors[1].special_tokens", "427"),
            Fault(#""dropout":null"#, #""dropout":0.1"#, field: "model.dropout", "random"),
            Fault(
                #""continuing_subword_prefix":null"#, #""continuing_subword_prefix":"@@""#,
                field: "model.continuing_subword_prefix", "empty"),
            Fault(#""unk_token":null"#, #""unk_token":"<unk>""#, field: "model.unk_token", "<unk>"),
            Fault(#""merges":[["#, #""merges":[["zz","zz"],["#, field: "model.merges[0]", "zzzz"),
            Fault(#""merges":[["#, #""merges":["a b c",["#, field: "model.merges[0]", "Array"),
            Fault(#""vocab":{"!":0"#, #""vocab":{"!":-1"#, field: "model.vocab", "-1"),
            Fault(#""vocab":{"!":0"#, #""vocab":{"!":1"#, field: "model.vocab", "two tokens have the id 1"),
            Fault(#""vocab":{"!":0"#, #""vocab":{"!":4000000000"#, field: "model.vocab", "4000000000"),
            Fault(#""vocab":{"!":0"#, #""vocab":{"!":"0""#, field: "model.vocab.!", "string"),
            Fault(
                #"{"id":420,"content":"<|begin|>""#, #"{"id":420,"content":"!""#, field: "added_tokens[0].id",
                "the id 0"),
            Fault(#"{"id":421,"#, #"{"id":420,"#, field: "added_tokens[1]", "420"),
            Fault(#"{"id":421,"#, #"{"id":4294967295,"#, field: "added_tokens[1].id", "4294967295"),
            Fault(#"{"id":421,"#, "{", field: "added_tokens[1].id", "missing"),
            Fault(#""model":{"#, #""modal":{"#, field: "model", "missing"),
            Fault(#""vocab":{"!":0"#, #""vocab":{"!":0!"#, field: nil, "JSON"),
        ])
    func faults(fault: Fault) throws {
        let json = try TokenizerFixture.byteLevel.json(replacing: fault.old, with: fault.new)
        let error = #expect(throws: TokenizerError.self) { try Tokenizer(tokenizerJSON: json, configurationJSON: nil) }
        #expect(error?.file == "tokenizer.json")
        #expect(error?.field == fault.field)
        #expect(error?.problem.contains(fault.problem) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("\n") == false)
    }

    @Test("A file cut off anywhere is refused")
    func truncated() throws {
        let json = try TokenizerFixture.byteLevel.json()
        for count in stride(from: 0, to: json.count - 2, by: 397) {
            #expect(throws: TokenizerError.self) {
                try Tokenizer(tokenizerJSON: Array(json.prefix(count)), configurationJSON: nil)
            }
        }
    }

    @Test("Bytes changed anywhere are refused or read, never more")
    func damaged() throws {
        let json = try TokenizerFixture.byteLevel.json()
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<300 {
            var damaged = json
            for _ in 0..<3 {
                damaged[Int.random(in: 0..<json.count, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            do {
                let tokenizer = try Tokenizer(tokenizerJSON: damaged, configurationJSON: nil)
                _ = tokenizer.decode(
                    tokenizer.encode("layers \u{301} 🙂", addSpecialTokens: true), skipSpecialTokens: true)
            } catch let error as TokenizerError {
                #expect(!error.description.contains("\n"))
            }
        }
    }

    @Test("A vocabulary of characters that lost a token to another with the same normal form is refused")
    func equivalentTokens() throws {
        let json = try TokenizerFixture.characters.json(
            replacing: #""</s>":2,"#, with: #""</s>":2,"\u00c5":900,"\u212b":901,"#)
        let error = #expect(throws: TokenizerError.self) { try Tokenizer(tokenizerJSON: json, configurationJSON: nil) }
        #expect(error?.field == "model.vocab")
    }

    @Test("A directory's files are read together; what is wrong is named with its path")
    func directory() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "tokenizer-\(UUID())").path()
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        func write(_ name: String, _ bytes: [UInt8]) throws {
            try Data(bytes).write(to: URL(filePath: "\(directory)/\(name)"))
        }
        let missing = #expect(throws: TokenizerError.self) { try Tokenizer(modelDirectory: directory) }
        #expect(missing?.description.hasPrefix("\(directory)/tokenizer.json: no such file") == true)

        try write("tokenizer.json", TokenizerFixture.byteLevel.json())
        #expect(try Tokenizer(modelDirectory: directory).chatTemplate == nil)
        try write("tokenizer_config.json", Array(#"{"chat_template": "in the configuration"}"#.utf8))
        #expect(try Tokenizer(modelDirectory: directory + "/").chatTemplate == "in the configuration")
        try write("chat_template.jinja", Array("in a file".utf8))
        #expect(try Tokenizer(modelDirectory: directory).chatTemplate == "in a file")

        try write("chat_template.jinja", [0xFF, 0xFE])
        let template = #expect(throws: TokenizerError.self) { try Tokenizer(modelDirectory: directory) }
        #expect(template?.file == "\(directory)/chat_template.jinja")
        try FileManager.default.removeItem(atPath: "\(directory)/chat_template.jinja")
        try write("tokenizer_config.json", Array("{".utf8))
        let configuration = #expect(throws: TokenizerError.self) { try Tokenizer(modelDirectory: directory) }
        #expect(configuration?.file == "\(directory)/tokenizer_config.json")
        try FileManager.default.removeItem(atPath: "\(directory)/tokenizer_config.json")
        try FileManager.default.createDirectory(
            atPath: "\(directory)/tokenizer_config.json", withIntermediateDirectories: false)
        let folder = #expect(throws: TokenizerError.self) { try Tokenizer(modelDirectory: directory) }
        #expect(folder?.problem == "is not a file")
    }
}
