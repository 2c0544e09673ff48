// ChatTemplateReferenceTests: real chat templates rendered as transformers renders them.

import Foundation
import Testing

@testable import Text

/// One line of a file of vectors: a template, its variables, and the text it gives, or that it must fail.
struct TemplateVector {
    let template: String
    let name: String
    let context: [String: JinjaValue]
    /// Nil where the template must fail.
    let expected: String?

    /// A vector with variables of its own, or with `context` where it has none.
    init(_ line: Substring, context: [String: JinjaValue] = [:]) throws {
        let value = try JinjaValue(json: line.utf8)
        guard case .string(let template)? = value["template"], case .string(let name)? = value["case"] else {
            throw CocoaError(.fileReadCorruptFile)
        }
        self.template = template
        self.name = name
        if case .object(let own)? = value["context"] {
            self.context = Dictionary(uniqueKeysWithValues: zip(own.keys, own.values))
        } else {
            self.context = context
        }
        if case .string(let expected)? = value["expected"] { self.expected = expected } else { expected = nil }
    }

    /// All vectors of a file.
    static func read(_ file: URL) throws -> [TemplateVector] {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { try TemplateVector($0) }
    }

    /// What a template gives for this vector's variables, nil where it fails.
    func rendered(_ source: String) throws -> String? {
        do {
            let template = try ChatTemplate(source: source, specialTokens: [:])
            return try template.render(context: context, now: .reference)
        } catch is ChatTemplateError {
            return nil
        }
    }
}

private let templatesFolder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../shared/reference/templates").standardized

@Suite(.enabled(if: FileManager.default.fileExists(atPath: templatesFolder.path), "the reference data is not here"))
struct ChatTemplateReferenceTests {
    @Test func rendersAllRealTemplatesAsTheReference() throws {
        let vectors = try TemplateVector.read(templatesFolder.appending(path: "vectors.jsonl"))
        try #require(!vectors.isEmpty)
        var sources: [String: String] = [:]
        for vector in vectors {
            let file = templatesFolder.appending(path: "src/\(vector.template).jinja")
            let source = try sources[vector.template] ?? String(contentsOf: file, encoding: .utf8)
            sources[vector.template] = source
            let rendered = try vector.rendered(source)
            #expect(rendered == vector.expected, "\(vector.template), \(vector.name)")
        }
    }

    /// The order of keys reaches the prompt: were they sorted, templates that print schemas would differ.
    @Test func keepsTheOrderOfKeysOfTools() throws {
        let vectors = try TemplateVector.read(templatesFolder.appending(path: "vectors.jsonl"))
        let vector = try #require(vectors.first { $0.name == "tools_gen" })
        guard case .array(let tools)? = vector.context["tools"], case .object(let tool)? = tools.first?["function"]
        else { throw CocoaError(.fileReadCorruptFile) }
        #expect(tool.keys == ["name", "description", "parameters"])
    }
}
