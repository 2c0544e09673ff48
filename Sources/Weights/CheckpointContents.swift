// What a checkpoint holds, whatever its files are like.

/// A format of model files: where to find the configuration, and which tensor lies where. Its reader opens and
/// validates headers; ``Checkpoint`` and everything behind it see only these.
protocol CheckpointContents {
    /// A JSON object with the fields of Hugging Face's config.json.
    var configurationJSON: [UInt8] { get }
    /// What the configuration was read from, as errors name it.
    var configurationName: String { get }
    /// The files that hold tensors, in an order that is the same wherever the same files are.
    var files: [CheckpointFile] { get }
    /// Every tensor by its full name, which is that of Hugging Face or MLX.
    var tensors: [String: TensorEntry] { get }
}
