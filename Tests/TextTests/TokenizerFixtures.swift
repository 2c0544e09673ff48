// Where the tokenizer tests find their data: fixtures beside the tests, and the reference folder beside the package.

import Foundation
import Testing

@testable import Text

/// The small tokenizers in Fixtures/tokenizer, made with the library that defines the format.
enum TokenizerFixture: String, CaseIterable, Sendable {
    case byteLevel = "byte-level"
    case wholeTokens = "whole-tokens"
    case characters

    /// A text with what the library makes of it.
    struct Vector: Decodable {
        let text: String
        let ids: [UInt32]
        let idsWithSpecial: [UInt32]
        let decoded: String
        let decodedWithoutSpecial: String
    }

    /// Ids in an order that no text has, with the text the library makes of them.
    struct Decoding: Decodable {
        let ids: [UInt32]
        let decoded: String
        let decodedWithoutSpecial: String
    }

    /// One pre-tokenizer's definition, with the pieces it makes.
    struct Pieces: Decodable {
        struct Result: Decodable {
            let text: String
            let pieces: [String]
        }

        let definition: PreTokenizerDefinition
        let results: [Result]
    }

    static func bytes(_ name: String) throws -> [UInt8] {
        let directory = URL(filePath: #filePath).deletingLastPathComponent()
        return Array(try Data(contentsOf: directory.appending(path: "Fixtures/tokenizer/\(name)")))
    }

    static func lines<Line: Decodable>(_ name: String, of type: Line.Type = Line.self) throws -> [Line] {
        try jsonLines(bytes(name))
    }

    func json() throws -> [UInt8] { try Self.bytes("\(rawValue).json") }

    func tokenizer(configuration: String? = nil) throws -> Tokenizer {
        try Tokenizer(tokenizerJSON: json(), configurationJSON: configuration.map { Array($0.utf8) })
    }

    /// The fixture's tokenizer.json with some of its JSON replaced, which must be there.
    func json(replacing old: String, with new: String) throws -> [UInt8] {
        let text = String(decoding: try json(), as: UTF8.self)
        try #require(text.contains(old))
        return Array(text.replacing(old, with: new).utf8)
    }

    func vectors() throws -> [Vector] { try Self.lines("\(rawValue).vectors.jsonl") }
}

/// A published tokenizer of the reference folder, which lies beside the package where there is one.
enum ReferenceTokenizer: String, CaseIterable, Sendable {
    case qwen3
    case qwen25 = "qwen2.5"
    case llama31 = "llama-3.1"
    case deepSeekLLM = "deepseek-llm"
    case deepSeekCoder = "deepseek-coder"
    case deepSeekV2Lite = "deepseek-v2-lite"
    case deepSeekV4 = "deepseek-v4"

    struct Vector: Decodable {
        let text: String
        let ids: [UInt32]
        /// With special tokens, where that differs.
        let idsSpecial: [UInt32]?
        /// What the ids decode to, where that is not the text.
        let decoded: String?

        private enum CodingKeys: String, CodingKey {
            case text, ids, decoded
            case idsSpecial = "ids_special"
        }
    }

    private static let directory = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../../shared/reference/tokenizers").standardizedFileURL

    static var isPresent: Bool { FileManager.default.fileExists(atPath: directory.path()) }

    func json() throws -> [UInt8] {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/xz")
        process.arguments = ["-dc", Self.directory.appending(path: "\(rawValue)/tokenizer.json.xz").path()]
        process.standardOutput = output
        try process.run()
        let json = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return Array(json)
    }

    func vectors() throws -> [Vector] {
        try jsonLines(Array(try Data(contentsOf: Self.directory.appending(path: "\(rawValue)/vectors.jsonl"))))
    }
}

private func jsonLines<Line: Decodable>(_ bytes: [UInt8]) throws -> [Line] {
    let decoder = JSONDecoder()
    return try bytes.split(separator: UInt8(ascii: "\n")).map { try decoder.decode(Line.self, from: Data($0)) }
}

/// Whether two texts have the same bytes; Swift's `==` takes canonically equivalent ones for equal.
func sameBytes(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
}

/// Random numbers that are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
