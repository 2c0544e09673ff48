// Makes GGUF files for the tests.

import Weights

/// A GGUF file to be written, well-formed or not.
struct GGUFFile {
    /// A value with the number of its type.
    enum Value {
        case uint32(UInt32)
        case float(Float)
        case flag(Bool)
        case text(String)
        case texts([String])
        case integers([Int32])
        /// A type's number and bytes as they are.
        case raw(UInt32, [UInt8])

        var bytes: [UInt8] {
            switch self {
            case .uint32(let value): littleEndian(UInt32(4)) + littleEndian(value)
            case .float(let value): littleEndian(UInt32(6)) + littleEndian(value.bitPattern)
            case .flag(let value): littleEndian(UInt32(7)) + [value ? 1 : 0]
            case .text(let value): littleEndian(UInt32(8)) + string(value)
            case .texts(let values):
                littleEndian(UInt32(9)) + littleEndian(UInt32(8)) + littleEndian(UInt64(values.count))
                    + values.flatMap { string($0) }
            case .integers(let values):
                littleEndian(UInt32(9)) + littleEndian(UInt32(5)) + littleEndian(UInt64(values.count))
                    + values.flatMap { littleEndian($0) }
            case .raw(let type, let bytes): littleEndian(type) + bytes
            }
        }

        private func string(_ text: String) -> [UInt8] { GGUFFile.string(text) }
    }

    struct Tensor {
        var name: String
        /// Fastest first, as files have them.
        var dimensions: [UInt64]
        var type: UInt32
        /// In the data.
        var offset: UInt64
        var data: [UInt8]
    }

    var magic = Array("GGUF".utf8)
    var version: UInt32 = 3
    var values: [(String, Value)]
    var tensors: [Tensor] = []
    /// What the header says, where that is not the truth.
    var tensorCount: UInt64?
    var valueCount: UInt64?
    var alignment = 32

    /// Metadata of a Qwen3 model of one layer.
    static let qwen3: [(String, Value)] = [
        ("general.architecture", .text("qwen3")), ("qwen3.block_count", .uint32(1)),
        ("qwen3.context_length", .uint32(128)), ("qwen3.embedding_length", .uint32(64)),
        ("qwen3.feed_forward_length", .uint32(96)), ("qwen3.attention.head_count", .uint32(4)),
        ("qwen3.attention.head_count_kv", .uint32(2)), ("qwen3.attention.key_length", .uint32(16)),
        ("qwen3.attention.layer_norm_rms_epsilon", .float(1e-6)), ("qwen3.rope.freq_base", .float(10_000)),
        ("qwen3.vocab_size", .uint32(7)),
    ]

    init(_ values: [(String, Value)] = qwen3) { self.values = values }

    static func string(_ text: String) -> [UInt8] { littleEndian(UInt64(text.utf8.count)) + Array(text.utf8) }

    /// Adds a tensor of F32 behind those there are.
    mutating func add(_ name: String, _ dimensions: [UInt64], floats: [Float]) {
        let end = tensors.map { $0.offset + UInt64($0.data.count) }.max() ?? 0
        let offset = (end + UInt64(alignment) - 1) / UInt64(alignment) * UInt64(alignment)
        tensors.append(
            Tensor(
                name: name, dimensions: dimensions, type: 0, offset: offset,
                data: floats.flatMap { littleEndian($0.bitPattern) }))
    }

    var bytes: [UInt8] {
        var bytes = magic + littleEndian(version)
        bytes += littleEndian(tensorCount ?? UInt64(tensors.count)) + littleEndian(valueCount ?? UInt64(values.count))
        for (name, value) in values { bytes += Self.string(name) + value.bytes }
        for tensor in tensors {
            bytes += Self.string(tensor.name) + littleEndian(UInt32(tensor.dimensions.count))
            bytes += tensor.dimensions.flatMap { littleEndian($0) } + littleEndian(tensor.type)
            bytes += littleEndian(tensor.offset)
        }
        bytes += [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
        let dataStart = bytes.count
        for tensor in tensors {
            let end = dataStart + Int(tensor.offset) + tensor.data.count
            if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
            bytes.replaceSubrange(end - tensor.data.count..<end, with: tensor.data)
        }
        return bytes
    }
}
