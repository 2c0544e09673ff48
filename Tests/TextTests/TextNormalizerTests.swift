// What happens to text before it is split.

@_spi(_Unicode) import Swift
import Testing

@testable import Text

@Suite("Text normalizer")
struct TextNormalizerTests {
    @Test(
        "Normal form C, by examples",
        arguments: [
            ("cafe\u{301}", "caf\u{E9}"), ("\u{E9}", "\u{E9}"), ("a\u{323}\u{302}", "\u{1EAD}"),
            ("a\u{302}\u{323}", "\u{1EAD}"), ("\u{212B}\u{2126}\u{212A}", "\u{C5}\u{3A9}K"),
            ("\u{1112}\u{1161}\u{11AB}", "\u{D55C}"), ("\u{AC00}\u{11A8}", "\u{AC01}"),
            ("\u{B23C}\u{C35}\u{AC00}\u{11A8}", "\u{B23C}\u{C35}\u{AC01}"), ("\u{958}", "\u{915}\u{93C}"),
            ("\u{FB01}", "\u{FB01}"), ("", ""), ("\u{301}", "\u{301}"), ("x\u{344}", "\u{1E8D}\u{301}"),
        ])
    func examples(text: String, expected: String) throws {
        #expect(sameBytes(try normalized(text, .canonicalComposition), expected))
    }

    @Test("Normal form C of long texts, cut into blocks, is that of the whole")
    func blocks() throws {
        var generator = SeededGenerator(seed: 5)
        let units = [
            "a", "e\u{301}", "\u{1100}\u{1161}", "\u{11A8}", "字", "🙂", "\u{323}", "\u{302}", " ", "\u{9C7}\u{9BE}",
        ]
        for _ in 0..<20 {
            let text = (0..<6000).map { _ in units.randomElement(using: &generator) ?? "" }.joined()
            #expect(sameBytes(try normalized(text, .canonicalComposition), composed(text)))
        }
    }

    @Test("Scalars taken for stable are their own normal form and compose with nothing before them")
    func stableScalars() {
        var composing: Set<Unicode.Scalar> = []
        for value in 0...0x10FFFF as ClosedRange<UInt32> {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let isAlone = composed(String(scalar)).unicodeScalars.elementsEqual([scalar])
            if CanonicalComposition.isStable(scalar) && !isAlone { Issue.record("U+\(hex(scalar)) changes") }
            // All but the first of what a composed scalar is made of may compose with what comes before it.
            if isAlone { composing.formUnion(Array(String(scalar)._nfd).dropFirst()) }
        }
        for scalar in composing where CanonicalComposition.isStable(scalar) {
            Issue.record("U+\(hex(scalar)) composes")
        }
    }

    @Test("Prepend and Replace, one after the other")
    func replacing() throws {
        let definition = NormalizerDefinition.sequence([
            .prepend("▁"), .replace(.literal(" "), content: "▁"), .replace(.regex("l{2,}"), content: "L"),
        ])
        #expect(try normalized("hello  all l", definition) == "▁heLo▁▁aL▁l")
        #expect(try normalized("", definition) == "")
    }

    private func normalized(_ text: String, _ definition: NormalizerDefinition) throws -> String {
        let normalizer = try TextNormalizer(definition)
        var text = text
        return text.withUTF8 { utf8 in
            EncodingWorkspacePool().withWorkspace { workspace in
                String(decoding: normalizer.normalized(utf8, workspace), as: UTF8.self)
            }
        }
    }

    private func composed(_ text: String) -> String {
        var composed = String.UnicodeScalarView()
        composed.append(contentsOf: text._nfc)
        return String(composed)
    }

    private func hex(_ scalar: Unicode.Scalar) -> String { String(scalar.value, radix: 16, uppercase: true) }
}
