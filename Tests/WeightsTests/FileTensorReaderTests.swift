// Bytes reach their places whatever the file's layout, the way of reading and the system's answers.

import Glibc
import Synchronization
import Testing

@testable import Weights

@Suite(.timeLimit(.minutes(1))) struct FileTensorReaderTests {
    /// A model in one file whose first tensor begins at a multiple of 64 and `shift` bytes more.
    private struct Model {
        let directory: ModelDirectory
        let checkpoint: Checkpoint
        let tensors: [TestTensor]

        init(_ tensors: [TestTensor], shift: Int = 0) throws {
            directory = try ModelDirectory()
            try directory.write("config.json", "{}")
            // The header is as long as its metadata makes it.
            func bytes(padding: Int) -> [UInt8] {
                safetensors(tensors, metadata: #"{"p":"\#(String(repeating: "-", count: padding))"}"#)
            }
            let headerBytes = bytes(padding: 0).count - tensors.reduce(0) { $0 + $1.data.count }
            let bytes = bytes(padding: (shift - headerBytes % 64 + 64) % 64)
            try directory.write("model.safetensors", bytes)
            checkpoint = try Checkpoint(directory: directory.path)
            self.tensors = tensors
        }

        func check(_ reader: FileTensorReader) throws {
            let plan = LayerPlan(checkpoint, prefixes: [""])
            let (weights, bytesRead) = try LayerWeights.load(
                plan, into: WeightSlab(byteCount: plan.byteCount), from: reader)
            #expect(bytesRead == UInt64(plan.storedByteCount))
            for tensor in tensors {
                let stored = try weights.tensor(tensor.name, shape: tensor.shape)
                #expect(UInt(bitPattern: stored.baseAddress) % 64 == 0)
                #expect(stored.contents == tensor.data, "\(tensor.name)")
            }
        }
    }

    /// What parts have in these tests, so that small tensors have several.
    private static let part = 8192

    /// A reader of small parts.
    private func reader(
        _ model: Model, _ caching: FileTensorReader.PageCaching,
        calls: FileTensorReader.SystemCalls = FileTensorReader.SystemCalls()
    ) -> FileTensorReader {
        FileTensorReader(model.checkpoint, caching: caching, calls: calls, partBytes: Self.part)
    }

    /// Over several parts and blocks, aligned alike and not.
    private static let mixed = [
        TestTensor("a", [64]), TestTensor("b", [part + 128]), TestTensor("c", [4096]),
        TestTensor("d", [3]), TestTensor("e", [2 * part + 77]), TestTensor("f", [1]),
        TestTensor("g", [5 * part - 30]),
    ]

    @Test(arguments: [0, 1, 8, 63], [FileTensorReader.PageCaching.untouched, .filled])
    func everyByteHasItsPlace(shift: Int, caching: FileTensorReader.PageCaching) throws {
        let model = try Model(Self.mixed, shift: shift)
        try model.check(reader(model, caching))
        // What was just written is in the page cache, and was taken from there.
        var calls = FileTensorReader.SystemCalls()
        calls.looksIntoPageCache = false
        let reader = self.reader(model, caching, calls: calls)
        try model.check(reader)
        try model.check(reader)
    }

    /// A run ends with fewer bytes in its last block than it is shifted by.
    @Test(arguments: [1, 10, 49, 50, 51, 63, 64, 65]) func aLastPartShorterThanTheShift(beyond: Int) throws {
        let shift = 50
        let part = Self.part
        // The header's end, rounded down to a block, is where parts begin: the tensor ends `beyond` bytes into another.
        for headerBytes in stride(from: 0, to: 4096, by: 64) {
            let tensor = TestTensor("a", [part - headerBytes - shift + beyond])
            let model = try Model([tensor], shift: shift)
            guard let entry = model.checkpoint.tensors["a"], Int(entry.byteOffset) == headerBytes + shift else {
                continue
            }
            var calls = FileTensorReader.SystemCalls()
            calls.looksIntoPageCache = false
            return try model.check(reader(model, .untouched, calls: calls))
        }
        Issue.record("no header of such a length")
    }

    @Test func withoutDirectReadsThePageCacheServesAndForgets() throws {
        let model = try Model(Self.mixed, shift: 8)
        var calls = FileTensorReader.SystemCalls()
        calls.opensDirectly = false
        calls.looksIntoPageCache = false
        let reader = self.reader(model, .untouched, calls: calls)
        try model.check(reader)
        #expect(!reader.readsDirectly)
    }

    /// Interrupted calls and reads that stop anywhere are continued.
    @Test(arguments: [1, 7, 63, 1000]) func shortAndInterruptedReadsAreContinued(bytesPerCall: Int) throws {
        let model = try Model([TestTensor("a", [33]), TestTensor("b", [2 * bytesPerCall + 5])], shift: 9)
        let count = Atomic(0)
        var calls = FileTensorReader.SystemCalls()
        calls.read = { descriptor, address, bytes, offset in
            if count.add(1, ordering: .relaxed).newValue % 3 == 0 {
                errno = EINTR
                return -1
            }
            return pread(descriptor, address, min(bytes, bytesPerCall), offset)
        }
        try model.check(reader(model, .filled, calls: calls))
    }

    /// A disk may return fewer blocks than asked for, or end in the middle of one: reading goes on at a whole block.
    @Test(arguments: [4096, 5000, 12288]) func shortDirectReadsAreContinuedAtABlock(bytesPerCall: Int) throws {
        let model = try Model(Self.mixed, shift: 40)
        let offsets = Mutex<[off_t]>([])
        var calls = FileTensorReader.SystemCalls()
        calls.looksIntoPageCache = false
        calls.read = { descriptor, address, bytes, offset in
            offsets.withLock { $0.append(offset) }
            return min(pread(descriptor, address, bytes, offset), bytesPerCall)
        }
        let reader = self.reader(model, .untouched, calls: calls)
        try model.check(reader)
        if reader.readsDirectly { #expect(offsets.withLock { $0.allSatisfy { $0 % 4096 == 0 } }) }
    }

    @Test func requestsAreBoundedAndSeveralAtATime() throws {
        let model = try Model([TestTensor("a", [8 * Self.part + 1])])
        struct Seen {
            var bytesMax = 0
            var underWay = 0
            var underWayMax = 0
        }
        let seen = Monitor(Seen())
        var calls = FileTensorReader.SystemCalls()
        calls.read = { descriptor, address, bytes, offset in
            seen.withLock {
                $0.bytesMax = max($0.bytesMax, bytes)
                $0.underWay += 1
                $0.underWayMax = max($0.underWayMax, $0.underWay)
            }
            seen.wakeAll()
            // Nobody returns before all threads are at it once.
            seen.wait { $0.underWayMax == ReadQueue.threads ? () : nil }
            defer { seen.withLock { $0.underWay -= 1 } }
            return pread(descriptor, address, bytes, offset)
        }
        try model.check(reader(model, .filled, calls: calls))
        #expect(seen.withLock { $0.bytesMax } <= Self.part)
        #expect(seen.withLock { $0.underWayMax } == ReadQueue.threads)
    }

    /// The second of two layers is at the disk before the first has arrived whole.
    @Test func aSecondReadFollowsWithoutAPause() throws {
        let tensors = ["a", "b"].map { TestTensor($0, [100]) }
        let model = try Model(tensors)
        let begun = Monitor(0)
        var calls = FileTensorReader.SystemCalls()
        calls.read = { descriptor, address, bytes, offset in
            begun.withLock { $0 += 1 }
            begun.wakeAll()
            begun.wait { $0 == 2 ? () : nil }
            return pread(descriptor, address, bytes, offset)
        }
        let reader = self.reader(model, .filled, calls: calls)
        let other = try BackgroundThread { [checkpoint = model.checkpoint] in
            _ = try? LayerWeights.load(LayerPlan(checkpoint, prefix: "b"), from: reader)
        }
        _ = try LayerWeights.load(LayerPlan(model.checkpoint, prefix: "a"), from: reader)
        other.join()
    }

    @Test func readErrorsNameFileAndTensorAndEndTheReading() throws {
        let model = try Model([TestTensor("a", [100]), TestTensor("b", [40 * Self.part])])
        let count = Atomic(0)
        var calls = FileTensorReader.SystemCalls()
        calls.read = { descriptor, address, bytes, offset in
            count.add(1, ordering: .relaxed)
            guard offset < Self.part else {
                errno = EIO
                return -1
            }
            return pread(descriptor, address, bytes, offset)
        }
        let reader = self.reader(model, .filled, calls: calls)
        let error = checkpointError { _ = try LayerWeights.load(LayerPlan(model.checkpoint, prefix: ""), from: reader) }
        #expect(error?.kind == .unreadable)
        #expect(error?.description.contains("model.safetensors: tensor 'b'") == true)
        #expect(error?.description.contains("Input/output error") == true)
        #expect(count.load(ordering: .relaxed) < 40)
    }

    @Test(arguments: [FileTensorReader.PageCaching.untouched, .filled])
    func aFileThatShrinksIsNoticed(caching: FileTensorReader.PageCaching) throws {
        let model = try Model([TestTensor("a", [10000]), TestTensor("b", [100])])
        let plan = LayerPlan(model.checkpoint, prefix: "")
        let opened = reader(model, caching)
        _ = try LayerWeights.load(plan, from: opened)
        let path = model.checkpoint.files[0].path
        #expect(truncate(path, off_t(model.checkpoint.files[0].byteCount) - 10) == 0)
        let whileOpen = checkpointError { _ = try LayerWeights.load(plan, from: opened) }
        #expect(whileOpen?.kind == .truncated)
        let anew = reader(model, caching)
        #expect(checkpointError { _ = try LayerWeights.load(plan, from: anew) }?.kind == .truncated)
        model.directory.remove("model.safetensors")
        let later = reader(model, caching)
        #expect(checkpointError { _ = try LayerWeights.load(plan, from: later) }?.kind == .missingFile)
    }
}
