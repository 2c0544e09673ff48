// Makes model directories for the tests.

import Glibc
import Weights

/// A temporary directory that goes when the last reference does.
final class ModelDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/ring-weights-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw WriteFailed() }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        guard let stream = opendir(path) else { return }
        while let item = readdir(stream) {
            let name = withUnsafeBytes(of: &item.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            unlink("\(path)/\(name)")
        }
        closedir(stream)
        rmdir(path)
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        guard let file = fopen("\(path)/\(name)", "w") else { throw WriteFailed() }
        defer { fclose(file) }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw WriteFailed() }
    }

    func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

    func remove(_ name: String) { unlink("\(path)/\(name)") }

    struct WriteFailed: Error {}
}

/// A tensor to be written.
struct TestTensor {
    var name: String
    var type: ElementType
    var shape: [Int]
    var data: [UInt8]

    /// Filled with bytes that depend on the name, so that a tensor read from the wrong place shows.
    init(_ name: String, _ type: ElementType, _ shape: [Int]) {
        self.init(name, type, shape, data: Self.pattern(name, count: shape.reduce(1, *) * type.byteCount))
    }

    init(_ name: String, _ shape: [Int]) { self.init(name, .u8, shape) }

    init(_ name: String, _ type: ElementType, _ shape: [Int], data: [UInt8]) {
        self.name = name
        self.type = type
        self.shape = shape
        self.data = data
    }

    init(_ name: String, floats: [Float]) {
        self.init(name, .f32, [floats.count], data: floats.flatMap { littleEndian($0.bitPattern) })
    }

    static func pattern(_ name: String, count: Int) -> [UInt8] {
        let seed = name.utf8.reduce(UInt32(17)) { $0 &* 31 &+ UInt32($1) }
        return (0..<count).map { UInt8(truncatingIfNeeded: (seed &+ UInt32($0)) &* 2_654_435_761 >> 11) }
    }
}

func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// The bytes of a safetensors file.
func safetensors(_ tensors: [TestTensor], metadata: String? = nil) -> [UInt8] {
    var offset = 0
    var members = metadata.map { ["\"__metadata__\":\($0)"] } ?? []
    for tensor in tensors {
        let shape = tensor.shape.map(String.init).joined(separator: ",")
        members.append(
            "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
                + "\"data_offsets\":[\(offset),\(offset + tensor.data.count)]}")
        offset += tensor.data.count
    }
    return safetensors(header: "{\(members.joined(separator: ","))}", data: tensors.flatMap(\.data))
}

/// The bytes of a safetensors file with a header of the test's own.
func safetensors(header: String, data: [UInt8] = []) -> [UInt8] {
    littleEndian(UInt64(header.utf8.count)) + Array(header.utf8) + data
}

/// The error that `body` throws; its description must be one line.
func checkpointError(_ body: () throws -> Void) -> CheckpointError? {
    do {
        try body()
        return nil
    } catch {
        return error as? CheckpointError
    }
}

extension StoredTensor {
    /// Its bytes.
    var contents: [UInt8] {
        Array(UnsafeRawBufferPointer(start: baseAddress, count: shape.reduce(1, *) * elementType.byteCount))
    }

    var floats: [Float] {
        (0..<shape.reduce(1, *)).map { baseAddress.load(fromByteOffset: 4 * $0, as: Float.self) }
    }
}
