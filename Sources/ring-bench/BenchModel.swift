// What the benchmarks must know of a model: its sizes, to cut it and to make tokens up.

import ArgumentParser
import FoundationEssentials

struct BenchModel: Decodable {
    let layerCount: Int
    let hiddenSize: Int
    let vocabularySize: Int
    let mlpSize: Int
    let headCount: Int
    let keyValueHeadCount: Int
    let headSize: Int

    private enum CodingKeys: String, CodingKey {
        case layerCount = "num_hidden_layers"
        case hiddenSize = "hidden_size"
        case vocabularySize = "vocab_size"
        case mlpSize = "intermediate_size"
        case headCount = "num_attention_heads"
        case keyValueHeadCount = "num_key_value_heads"
        case headSize = "head_dim"
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

    /// Its layers in two stretches for which about as many weights are read for a token, the head with the second.
    func cutByBytes() -> [ClosedRange<Int>] {
        let layer = hiddenSize * (headSize * 2 * (headCount + keyValueHeadCount) + 3 * mlpSize)
        let head = hiddenSize * vocabularySize
        let first = (layer * layerCount + head + layer) / (2 * layer)
        let clamped = min(max(first, 1), layerCount - 1)
        return [0...clamped - 1, clamped...layerCount - 1]
    }

    /// Bytes of its weights.
    func weightBytes(of directory: String) throws -> Int {
        let files = try FileManager.default.contentsOfDirectory(atPath: directory).filter {
            $0.hasSuffix(".safetensors")
        }
        return try files.reduce(0) { sum, file in
            sum + ((try FileManager.default.attributesOfItem(atPath: directory + "/" + file)[.size] as? Int) ?? 0)
        }
    }
}
