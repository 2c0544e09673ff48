// What the benchmarks must know of a model: its sizes, to cut it and to make tokens up.

import ArgumentParser
import FoundationEssentials
import Hub
import Logging
import Weights

struct BenchModel: Decodable {
    let layerCount: Int
    let hiddenSize: Int
    let vocabularySize: Int
    let mlpSize: Int
    let headCount: Int
    let keyValueHeadCount: Int
    let headSize: Int
    let quantization: Quantization?

    struct Quantization: Decodable {
        let bits: Int
        let group: Int

        private enum CodingKeys: String, CodingKey {
            case bits
            case group = "group_size"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case layerCount = "num_hidden_layers"
        case hiddenSize = "hidden_size"
        case vocabularySize = "vocab_size"
        case mlpSize = "intermediate_size"
        case headCount = "num_attention_heads"
        case keyValueHeadCount = "num_key_value_heads"
        case headSize = "head_dim"
        case quantization
    }

    /// Weights in one layer's matrices.
    var layerWeights: Int {
        hiddenSize * (headSize * 2 * (headCount + keyValueHeadCount) + 3 * mlpSize)
    }

    /// Bytes of weights that one token's pass reads: every layer's matrices and the head's.
    func bytesReadPerToken() throws -> Int {
        let weights = layerCount * layerWeights + vocabularySize * hiddenSize
        guard let quantization else { return weights * 2 }
        guard quantization.group > 0, quantization.bits > 0 else { throw ValidationError("no such quantization") }
        // A group has a bfloat16 scale and a bfloat16 bias.
        return weights * quantization.bits / 8 + weights / quantization.group * 4
    }

    /// Multiplications with an addition that a prompt takes: its layers and its attention, and the head once.
    func multiplyAdds(promptTokens: Int) -> Double {
        let matrices = Double(promptTokens) * Double(layerCount * layerWeights) + Double(vocabularySize * hiddenSize)
        let pairs = Double(promptTokens) * Double(promptTokens + 1) / 2
        return matrices + pairs * Double(2 * headCount * headSize * layerCount)
    }

    /// The directory that `-m` names, or that of a model from the hub once all of it is here.
    static func directory(of model: String) throws -> String {
        let source = try ModelReference(parsing: model).source(logger: Logger(label: "ring-bench")) { false }
        guard source is HubModel else { return model }
        _ = try source.checkpoint { Array($0.tensors.values) }
        return try source.textDirectory()
    }

    static func read(_ directory: String) throws -> BenchModel {
        do {
            let checkpoint = try Checkpoint(directory: directory)
            let model = try JSONDecoder().decode(BenchModel.self, from: Data(checkpoint.configurationJSON))
            guard model.layerCount > 0, model.hiddenSize > 0, model.vocabularySize > 0 else {
                throw ValidationError("\(checkpoint.configurationPath) states a size that is not positive")
            }
            return model
        } catch let error as ValidationError {
            throw error
        } catch {
            throw ValidationError("the configuration of \(directory) cannot be read: \(error)")
        }
    }

    /// Its layers in `parts` stretches of equal length, as far as that goes.
    func cut(into parts: Int) -> [ClosedRange<Int>] {
        (0..<parts).map { part in layerCount * part / parts...layerCount * (part + 1) / parts - 1 }
    }

    /// Its layers in two stretches for which about as many weights are read for a token, the head with the second.
    func cutByBytes() -> [ClosedRange<Int>] {
        let layer = layerWeights
        let head = hiddenSize * vocabularySize
        let first = (layer * layerCount + head + layer) / (2 * layer)
        let clamped = min(max(first, 1), layerCount - 1)
        return [0...clamped - 1, clamped...layerCount - 1]
    }

    /// Bytes of its weights.
    func weightBytes(of directory: String) throws -> Int {
        Int(try Checkpoint(directory: directory).files.reduce(0) { $0 + $1.byteCount })
    }
}
