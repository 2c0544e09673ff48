// Reference outputs, as golden.json files hold them.

import FoundationEssentials

/// A checkpoint with what a reference implementation answers with it.
struct Golden: Decodable {
    /// Outputs of one way of computing.
    struct Section: Decodable {
        /// The largest logits after a token of the prompt, largest first.
        struct Top: Decodable {
            let ids: [UInt32]
            let logits: [Float]
        }

        let lastLogits: [Float]
        /// After each token of the prompt.
        let top20: [Top]
        let greedy: [UInt32]
    }

    let prompt: [UInt32]
    /// All arithmetic in float32.
    let float32: Section

    init(directory: String) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(Golden.self, from: Data(contentsOf: URL(filePath: "\(directory)/golden.json")))
    }
}

/// Differences between logits and a reference's.
struct LogitError {
    /// Largest difference.
    let maximum: Float
    /// Root of the mean squared difference, as a fraction of the reference's standard deviation.
    let relativeRMS: Float

    init(_ logits: [Float], against reference: [Float]) {
        let differences = zip(logits, reference).map { $0 - $1 }
        let count = Float(reference.count)
        let mean = reference.reduce(0, +) / count
        let variance = reference.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
        maximum = differences.map(abs).max() ?? 0
        relativeRMS = (differences.reduce(0) { $0 + $1 * $1 } / count / variance).squareRoot()
    }
}
