// Planned layers arrive whole, aligned and widened, whatever the system's reads return.

import Glibc
import Synchronization
import Testing

@testable import Weights

@Suite struct LayerWeightsTests {
    private let directory: ModelDirectory
    private let checkpoint: Checkpoint
    /// Layer 0, in pieces over two files.
    private let tensors = [
        TestTensor("layers.0.q.weight", .u32, [5, 7]), TestTensor("layers.0.q.scales", .bf16, [5, 3]),
        TestTensor("layers.0.norm", .bf16, [3], data: [0x80, 0x3F, 0x20, 0xC1, 0x00, 0x00]),  // 1, -10, 0
        TestTensor("layers.0.empty", .f32, [0, 2]),
        TestTensor("layers.0.half", .f16, [4], data: [0x00, 0x3C, 0x01, 0x00, 0xFF, 0x7B, 0x00, 0xC0]),
        TestTensor("layers.0.single", floats: [0.5, -2]), TestTensor("layers.0.k.weight", .u8, [1001]),
    ]

    init() throws {
        directory = try ModelDirectory()
        let other = TestTensor("layers.1.w", [33])
        try directory.write("config.json", "{}")
        try directory.write("a.safetensors", safetensors([tensors[0], tensors[1], other, tensors[2], tensors[3]]))
        try directory.write("b.safetensors", safetensors([tensors[4], tensors[5], tensors[6]]))
        checkpoint = try Checkpoint(directory: directory.path)
    }

    private func check(_ weights: LayerWeights, _ tensors: [TestTensor]) throws {
        #expect(weights.names == tensors.map { String($0.name.dropFirst("layers.0.".count)) }.sorted())
        for tensor in tensors {
            let stored = try weights.tensor(String(tensor.name.dropFirst("layers.0.".count)), shape: tensor.shape)
            #expect(stored.name == tensor.name)
            #expect(UInt(bitPattern: stored.baseAddress) % 64 == 0)
            if stored.elementType == tensor.type { #expect(stored.contents == tensor.data, "\(tensor.name)") }
        }
        #expect(try weights.tensor("norm", shape: [3]).floats == [1, -10, 0])
        #expect(try weights.tensor("half", shape: [4]).floats == [1, 0x1p-24, 65504, -2])
        #expect(try weights.tensor("single", shape: [2]).floats == [0.5, -2])
        #expect(try weights.tensor("q.scales", shape: [5, 3]).elementType == .bf16)
    }

    @Test func loadsAlignedAndWidened() throws {
        let plan = LayerPlan(checkpoint, prefix: "layers.0.")
        #expect(plan.storedByteCount == tensors.reduce(0) { $0 + $1.data.count })
        #expect(plan.entries.count == tensors.count)
        let reader = FileTensorReader(checkpoint, caching: .untouched)
        let slab = try WeightSlab(byteCount: plan.byteCount)
        for _ in 0..<2 {
            let (weights, bytesRead) = try LayerWeights.load(plan, into: slab, from: reader)
            #expect(bytesRead == UInt64(plan.storedByteCount))
            try check(weights, tensors)
        }
    }

    /// Every tensor may be read 64 bytes past its end, inside the slab. Layer 1 has nothing that is widened.
    @Test(arguments: ["layers.0.", "layers.1."]) func leavesRoomToReadPastTheEnd(prefix: String) throws {
        let plan = LayerPlan(checkpoint, prefix: prefix)
        let ranges = plan.placements.map { placement in
            placement.slabOffset..<placement.slabOffset + placement.byteCount
        }
        for range in ranges {
            #expect(range.lowerBound % 64 == 0)
            #expect(range.upperBound + 64 <= plan.byteCount)
        }
        let sorted = ranges.sorted { $0.lowerBound < $1.lowerBound }
        for (left, right) in zip(sorted, sorted.dropFirst()) { #expect(left.upperBound <= right.lowerBound) }
    }

    @Test func planOfSeveralPrefixesKeepsNamesApart() throws {
        let plan = LayerPlan(checkpoint, prefixes: ["layers.1.", "layers.0.q.", "layers.0.q.scales"])
        let weights = try LayerWeights.load(plan, from: FileTensorReader(checkpoint, caching: .filled))
        #expect(weights.names == ["layers.0.q.scales", "layers.0.q.weight", "layers.1.w"])
        #expect(try weights.tensor("layers.1.w", shape: [33]).contents == TestTensor.pattern("layers.1.w", count: 33))
    }

    @Test func dryWeightsKnowNamesAndShapes() throws {
        let weights = LayerWeights(dry: LayerPlan(checkpoint, prefix: "layers.0."))
        #expect(weights.has("norm") && !weights.has("nrom"))
        let norm = try weights.tensor("norm", shape: [3])
        #expect(norm.elementType == .f32)
        #expect(UInt(bitPattern: norm.baseAddress) % 64 == 0)
        let bias = try weights.tensorIfPresent("bias", shape: [3])
        #expect(bias == nil)
        #expect(weights.tensorIfPresent("q.weight")?.shape == [5, 7])
        let missing = checkpointError { _ = try weights.tensor("o.weight", shape: [8, 2]) }
        #expect(missing?.kind == .missingTensor)
        #expect(
            missing?.description == "tensor 'layers.0.o.weight': is missing from the checkpoint; expected shape [8, 2]")
        let wrong = checkpointError { _ = try weights.tensor("q.weight", shape: [7, 5]) }
        #expect(wrong?.kind == .wrongShape)
        #expect(wrong?.description == "tensor 'layers.0.q.weight': expected shape [7, 5], found [5, 7]")
        #expect(checkpointError { _ = try weights.tensorIfPresent("q.weight", shape: [7, 5]) } == wrong)
    }

    @Test func aSlabThatIsTooSmallIsRefused() throws {
        let plan = LayerPlan(checkpoint, prefix: "layers.0.")
        let slab = try WeightSlab(byteCount: plan.byteCount - 1)
        let reader = FileTensorReader(checkpoint, caching: .filled)
        #expect(checkpointError { _ = try LayerWeights.load(plan, into: slab, from: reader) } != nil)
    }

    /// Many slabs smaller than a huge page lie in huge pages together, and none in another's bytes.
    @Test func neighborsLieOneBehindTheOther() throws {
        let byteCounts = Array(repeating: (1 << 20) - 100, count: 5) + [1, 0, 5000]
        let slabs = try WeightSlab.neighbors(byteCounts: byteCounts)
        #expect(slabs.map(\.byteCount) == byteCounts)
        let base = UInt(bitPattern: slabs[0].baseAddress)
        #expect(base % (2 << 20) == 0)
        for (slab, next) in zip(slabs, slabs.dropFirst()) {
            #expect(UInt(bitPattern: slab.baseAddress) % 4096 == 0)
            let gap = next.baseAddress - slab.baseAddress
            #expect(gap >= slab.byteCount && gap < slab.byteCount + 8192)
        }
        let end = slabs[7].baseAddress + slabs[7].byteCount
        #expect(UInt(bitPattern: end) - base <= UInt(WeightSlab.memoryBytes(byteCounts)))
        end.storeBytes(of: 1, toByteOffset: -1, as: UInt8.self)
    }

    @Test func slabsAreZeroAlignedAndRefusedWhenBeyondMemory() throws {
        for byteCount in [0, 1, 4096, 2 << 20, 40 << 20] {
            let slab = try WeightSlab(byteCount: byteCount)
            #expect(UInt(bitPattern: slab.baseAddress) % (byteCount >= 2 << 20 ? 2 << 20 : 4096) == 0)
            if byteCount > 0 { slab.baseAddress.storeBytes(of: 1, toByteOffset: byteCount - 1, as: UInt8.self) }
        }
        let error = checkpointError { _ = try WeightSlab(byteCount: 1 << 60) }
        #expect(error?.description.contains("no memory for") == true)
    }
}
