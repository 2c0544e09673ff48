// What a model's authors recommend for sampling, and which tokens end its texts.

import Foundation

/// From generation_config.json; every member is optional.
struct GenerationDefaults: Decodable, Equatable, Sendable {
    var temperature: Float?
    var topP: Float?
    var topK: Int?
    var minP: Float?
    var repetitionPenalty: Float?
    var endOfTextTokens: [UInt32] = []

    enum CodingKeys: String, CodingKey {
        case temperature
        case topP = "top_p"
        case topK = "top_k"
        case minP = "min_p"
        case repetitionPenalty = "repetition_penalty"
        case endOfTextTokens = "eos_token_id"
    }

    init() {}

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        temperature = try members.decodeIfPresent(Float.self, forKey: .temperature)
        topP = try members.decodeIfPresent(Float.self, forKey: .topP)
        topK = try members.decodeIfPresent(Int.self, forKey: .topK)
        minP = try members.decodeIfPresent(Float.self, forKey: .minP)
        repetitionPenalty = try members.decodeIfPresent(Float.self, forKey: .repetitionPenalty)
        endOfTextTokens = try members.decodeIfPresent(TokenIDs.self, forKey: .endOfTextTokens)?.ids ?? []
    }

    /// One id or an array of them.
    struct TokenIDs: Decodable {
        var ids: [UInt32]

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let one = try? value.decode(UInt32.self) { ids = [one] } else { ids = try value.decode([UInt32].self) }
        }
    }
}
