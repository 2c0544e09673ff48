// Sizes that the API reads from config.json.

import Foundation
import Testing

@testable import RingAPI

@Suite struct ModelCardTests {
    private func card(_ json: String) throws -> ModelCard {
        try ModelCard(configurationJSON: Data(json.utf8), path: "config.json")
    }

    /// As Gemma 3 with a picture encoder is published: sizes in a section, and what is usual left out.
    @Test func sizesInASectionWithSomeLeftOut() throws {
        let card = try card(
            """
            {"model_type": "gemma3", "eos_token_id": [1, 106],
             "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34}}
            """)
        #expect(card.layerCount == 34 && card.hiddenSize == 2560)
        #expect(card.vocabularySize == 262_208 && card.contextTokensMax == 131_072)
        #expect(card.endOfTextTokens == [1, 106])
    }

    @Test func sizesOfOthersAreNotGuessed() {
        #expect(throws: ModelError("config.json lacks num_hidden_layers, hidden_size or vocab_size")) {
            try card(#"{"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2}"#)
        }
    }
}
