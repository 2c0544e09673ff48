// Every maximum a checkpoint is held to, and why.

/// Limits that are checked before a length or count read from a file is believed.
public enum CheckpointLimits {
    /// Bytes of a safetensors header: the limit of the format's own reference reader.
    public static let headerBytesMax = 100_000_000
    /// Bytes of model.safetensors.index.json; that of a model with 150,000 tensors has 14 MB.
    public static let indexBytesMax = 100_000_000
    /// Bytes of config.json; real ones have a few kilobytes, with an override per module some hundred.
    public static let configurationBytesMax = 16 << 20
    /// Tensors of a model: six times those of the largest published mixtures of experts.
    public static let tensorsMax = 1 << 20
    /// Files of a model: the largest published ones have some 200.
    public static let filesMax = 4096
    /// Bytes of one file: keeps sums over all files far from overflow.
    public static let fileBytesMax: UInt64 = 1 << 44
    /// Dimensions of a tensor; weights have at most 4 (convolutions 5).
    public static let dimensionsMax = 8
    /// Bytes of a tensor's or file's name.
    public static let nameBytesMax = 512
    /// How deep JSON may nest; configurations reach 5.
    public static let nestingMax = 32
    /// Layers of a model in GGUF files; the deepest published models have some 130.
    public static let layersMax = 1 << 16
    /// Values of a GGUF header; real ones have some 50.
    public static let metadataValuesMax = 1 << 14
    /// Elements of an array there; the largest vocabularies have 500,000 merges.
    public static let metadataElementsMax = 1 << 24
    /// Bytes of a text there; chat templates have some 30,000.
    public static let metadataTextBytesMax = 16 << 20
}
