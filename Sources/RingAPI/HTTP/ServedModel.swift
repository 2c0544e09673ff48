// The model that a ring serves, as the API needs it: names, sizes, tokenizer, chat template, end-of-text tokens.

import Foundation
import Text
public import Weights

public struct ServedModel: Sendable {
    /// As given to `-m`.
    public let path: String
    /// What clients call it: the directory's last component, a file's without its suffix, or an id on the hub with its
    /// organization.
    public let name: String
    public let card: ModelCard
    public let fingerprint: ModelFingerprint
    let defaults: GenerationDefaults
    /// Absent when the model has none: only token ids are then taken and given.
    let tokenizer: Tokenizer?
    let chatTemplate: ChatTemplate?
    /// Tokens that end a text.
    let endOfTextTokens: Set<UInt32>
    /// When it was opened, in seconds since 1970.
    let created: Int

    /// - Throws: ``ModelError``, ``Text/TokenizerError`` or ``Weights/CheckpointError``, a sentence that names the
    ///   file.
    public init(_ source: any ModelSource) throws {
        let directory = try source.textDirectory()
        let url = URL(fileURLWithPath: directory)
        guard FileManager.default.fileExists(atPath: directory) else {
            throw ModelError("there is no model at \(directory)")
        }
        let checkpoint = try source.checkpoint()
        path = source.place
        name = source.name
        card = try ModelCard(
            configurationJSON: Data(checkpoint.configurationJSON), path: checkpoint.configurationPath)
        fingerprint = try checkpoint.fingerprint()
        defaults = try Self.readDefaults(url.appendingPathComponent("generation_config.json"))
        let tokenizer = try Tokenizer.of(checkpoint, textDirectory: directory)
        self.tokenizer = tokenizer
        chatTemplate = try tokenizer?.chatTemplate.map {
            try ChatTemplate(source: $0, specialTokens: tokenizer?.specialTokens ?? [:])
        }
        var ends = Set(card.endOfTextTokens + defaults.endOfTextTokens)
        ends.formUnion(tokenizer?.endOfTextTokens ?? [])
        if let end = tokenizer?.eosToken.flatMap({ tokenizer?.id(of: $0) }) { ends.insert(end) }
        endOfTextTokens = ends
        created = Int(Date().timeIntervalSince1970)
    }

    /// - Throws: as ``init(_:)``.
    public init(directory: String) throws { try self.init(ModelDirectorySource(directory)) }

    private static func readDefaults(_ url: URL) throws -> GenerationDefaults {
        guard let json = try? Data(contentsOf: url) else { return GenerationDefaults() }
        do {
            return try JSONDecoder().decode(GenerationDefaults.self, from: json)
        } catch {
            throw ModelError("\(url.path) cannot be read: \(error)")
        }
    }

    /// Checks the name that a client asks for; none and `default_model` mean the one there is, and an organization may
    /// be left out.
    func check(requested: String?) throws(APIError) {
        guard let requested, requested != "default_model", requested != name, requested != path else { return }
        // Clients often leave the organization out.
        guard requested != name.split(separator: "/").last.map(String.init) else { return }
        throw .modelNotFound(requested, served: name)
    }
}
