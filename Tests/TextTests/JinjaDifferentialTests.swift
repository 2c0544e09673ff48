// JinjaDifferentialTests: small templates of our own, each compared with what Jinja2 renders for it.
//
// Fixtures/jinja/generate.py makes the vectors.

import Foundation
import Testing

@testable import Text

struct JinjaDifferentialTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/jinja")

    @Test func rendersAsJinja2Does() throws {
        let lines = try String(contentsOf: Self.folder.appending(path: "vectors.jsonl"), encoding: .utf8)
            .split(separator: "\n")
        let context = try #require(try lines.first.map { try JinjaValue(json: $0.utf8)["context"] } ?? nil)
        guard case .object(let variables) = context else { throw CocoaError(.fileReadCorruptFile) }
        let shared = Dictionary(uniqueKeysWithValues: zip(variables.keys, variables.values))
        #expect(lines.count > 1000)

        for line in lines.dropFirst() {
            let vector = try TemplateVector(line, context: shared)
            let rendered = try vector.rendered(vector.template)
            // By code points: Swift calls strings equal that print differently.
            let wanted = vector.expected ?? "an error"
            #expect(
                rendered.map { Array($0.unicodeScalars) } == vector.expected.map { Array($0.unicodeScalars) },
                "\(vector.name): \(vector.template) gives \(rendered ?? "an error"), not \(wanted)"
            )
        }
    }
}
