// What the benchmarks must know of a model: its sizes, to cut it and to make tokens up.

import ArgumentParser
import FoundationEssentials

struct BenchModel: Decodable {
    let layerCount: Int
    let hiddenSize: Int
    let vocabularySize: Int

    private enum CodingKeys: String, CodingKey {
        case layerCount = "num_hidden_layers"
        case hiddenSize = "hidden_size"
        case vocabularySize = "vocab_size"
    }

    static func read(_ directory: String) throws -> BenchModel {
        do {
            let json = try Data(contentsOf: URL(filePath: directory + "/config.json"))
            let model = try JSONDecoder().decode(BenchModel.self, from: json)
            guard model.layerCount > 0, model.hiddenSize > 0, model.vocabularySize > 0 else {
                throw ValidationError("\(directory)/config.json states a size that is not positive")
            }
            return model
        } catch let error as ValidationError {
            throw error
        } catch {
            throw ValidationError("\(directory)/config.json cannot be read: \(error)")
        }
    }

    /// Its layers in `parts` stretches of equal length, as far as that goes.
    func cut(into parts: Int) -> [ClosedRange<Int>] {
        (0..<parts).map { part in layerCount * part / parts...layerCount * (part + 1) / parts - 1 }
    }
}
