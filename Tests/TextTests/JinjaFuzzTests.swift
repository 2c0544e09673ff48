// JinjaFuzzTests: templates cut up and put together at random, from a fixed seed, end in a text or in an error.

import Foundation
import Testing

@testable import Text

struct JinjaFuzzTests {
    /// SplitMix64.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = state
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
    }

    /// What no one writes, but a cut can bring about.
    private static let odd = [
        "9223372036854775807", "(-9223372036854775807-1)", "9223372036854775808", "1e308", "-0.0", "''", "'e\u{301}'",
        "'%*.*f'", "'{:{}}'", "[[]]", "{}", "none", "loop", "ns", "ns.a.changed(ns)", "joiner(ns.a)", "x|map('map')",
        "x[::-9223372036854775807]", "{% set ns.a = loop %}", "{% set ns.a = ns.a ~ x %}", "{% set ns.a = ns.a + ns %}",
    ]

    /// Words, runs of white space, and every other character by itself.
    private static func parts(of source: String) -> [String] {
        var parts: [String] = []
        var lastKind = 0
        for scalar in source.unicodeScalars {
            let kind = scalar == "_" || scalar.properties.isAlphabetic ? 1 : scalar.properties.isWhitespace ? 2 : 3
            if kind == lastKind, kind != 3 {
                parts[parts.count - 1].unicodeScalars.append(scalar)
            } else {
                parts.append(String(scalar))
            }
            lastKind = kind
        }
        return parts
    }

    private static func changed(_ source: [String], others: [[String]], _ random: inout Generator) -> [String] {
        var parts = source
        for _ in 0..<Int.random(in: 1...4, using: &random) where !parts.isEmpty {
            let position = Int.random(in: 0..<parts.count, using: &random)
            let other = others[Int.random(in: 0..<others.count, using: &random)]
            let start = Int.random(in: 0..<other.count, using: &random)
            let piece = other[start..<min(start + Int.random(in: 1...20, using: &random), other.count)]
            switch Int.random(in: 0..<5, using: &random) {
            case 0: parts.remove(at: position)
            case 1: parts[position] = odd[Int.random(in: 0..<odd.count, using: &random)]
            case 2: parts.insert(contentsOf: parts[position...].prefix(10), at: position)
            default: parts.insert(contentsOf: piece, at: position)
            }
        }
        return parts
    }

    private static func outcome(
        _ source: String, _ context: [String: JinjaValue]
    ) throws -> Result<String, ChatTemplateError> {
        var limits = JinjaLimits()
        limits.stepsMax = 10_000
        limits.allocatedBytesMax = 1 << 20
        do {
            let template = try ChatTemplate(source: source, specialTokens: [:], limits: limits)
            return .success(try template.render(context: context, now: .reference))
        } catch let error as ChatTemplateError {
            return .failure(error)
        }
    }

    /// Nothing else than a text or one kind of error comes out, the same each time: no rendering leaves a trace.
    @Test func templatesPutTogetherAtRandomRenderOrFail() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/jinja")
        let lines = try String(contentsOf: folder.appending(path: "vectors.jsonl"), encoding: .utf8)
            .split(separator: "\n")
        guard case .object(let shared)? = try lines.first.flatMap({ try JinjaValue(json: $0.utf8)["context"] }) else {
            throw CocoaError(.fileReadCorruptFile)
        }
        var context = Dictionary(uniqueKeysWithValues: zip(shared.keys, shared.values))
        context["x"] = "text"
        let sources = try lines.dropFirst().map { Self.parts(of: try TemplateVector($0).template) }
            .filter { !$0.isEmpty }
        var random = Generator(state: 3)
        var rendered = 0
        for round in 0..<3000 {
            let parts = Self.changed(sources[round % sources.count], others: sources, &random)
            let source = "{% set ns = namespace(a='a') %}" + parts.joined()
            guard !source.contains("random") else { continue }
            let outcome = try Self.outcome(source, context)
            if case .success = outcome { rendered += 1 }
            #expect(try Self.outcome(source, context) == outcome, "\(source)")
        }
        // Most are broken by the change, but not all, or nothing would have been tried.
        #expect(rendered > 300)
    }
}
