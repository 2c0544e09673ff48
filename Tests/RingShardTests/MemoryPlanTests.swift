// A limit on memory decides how many layers stay, and what is left for the cache.

import Foundation
import Models
import Tensors
import Testing
import Weights
import Wire

@testable import RingShard

@Suite struct MemoryPlanTests {
    private static let mebibyte = 1 << 20

    /// 28 layers of 30 MiB, an embedding of 200 MiB, 100 MiB of room for steps, 1 MiB of cache for 10 tokens.
    private var demands: MemoryDemands {
        MemoryDemands(
            layers: "0-27", endsBytes: 200 * Self.mebibyte, windowBytes: (1...28).map { $0 * 30 * Self.mebibyte },
            workingBytes: 90 * Self.mebibyte, framesBytes: 10 * Self.mebibyte, cacheBytesPerToken: Self.mebibyte / 10,
            cacheBytesWanted: 4096 * Self.mebibyte / 10)
    }

    /// What a plan promises: parts that add up to no more than the limit.
    private func total(_ plan: MemoryPlan) -> Int {
        demands.fixedBytes + demands.windowBytes[plan.windowLayers - 1] + plan.cacheBytesMax
    }

    @Test func everyLimitIsKeptAndMoreMemoryHoldsMoreLayers() throws {
        let least = demands.fixedBytes + demands.windowBytes[0] + 64 * demands.cacheBytesPerToken
        var windows: [Int] = []
        for limit in stride(from: least, through: 3 << 30, by: 5 * Self.mebibyte + 12345) {
            let plan = try MemoryPlan(limit: limit, demands)
            #expect(total(plan) <= limit)
            #expect(plan.cacheBytesMax >= 64 * demands.cacheBytesPerToken)
            windows.append(plan.windowLayers)
        }
        #expect(windows == windows.sorted())
        #expect(windows.first == 1 && windows.last == 28)
        #expect(Set(windows) == Set(1...28))
        #expect(throws: ShardSetupError.self) { try MemoryPlan(limit: least - 1, demands) }
    }

    @Test func theRefusalNamesALimitThatWorks() throws {
        for (window, cache) in [(nil, nil), (18, nil), (nil, 1 << 30), (28, 1 << 30)] as [(Int?, Int?)] {
            var sentence = ""
            do {
                _ = try MemoryPlan(limit: 100 * Self.mebibyte, demands, windowLayers: window, cacheBytesMax: cache)
            } catch {
                sentence = error.description
            }
            #expect(sentence.contains("--memory-limit 100MiB is too little for layers 0-27"))
            let advised = try #require(
                sentence.split(separator: "give --memory-limit ").last?.split(separator: "MiB").first)
            let limit = try #require(Int(advised)) * Self.mebibyte
            let plan = try MemoryPlan(limit: limit, demands, windowLayers: window, cacheBytesMax: cache)
            #expect(total(plan) <= limit)
            #expect(throws: ShardSetupError.self) {
                try MemoryPlan(limit: limit - Self.mebibyte, demands, windowLayers: window, cacheBytesMax: cache)
            }
        }
    }

    @Test func givenFlagsAreKept() throws {
        let plan = try MemoryPlan(limit: 2 << 30, demands, windowLayers: 5, cacheBytesMax: 77 * Self.mebibyte)
        #expect(plan.windowLayers == 5 && plan.cacheBytesMax == 77 * Self.mebibyte)
        #expect(try MemoryPlan(limit: 4 << 30, demands, windowLayers: 99).windowLayers == 28)
    }

    /// The working memory that a plan sets aside is enough for the largest step that is expected, in either precision.
    @Test(arguments: [true, false]) func aStepStaysInItsWorkingMemory(exact: Bool) throws {
        let directory = try RandomModel()
        let configuration = ShardConfiguration(
            name: "shard", modelDirectory: directory.path, threads: 2, exact: exact, memoryBytesMax: 256 << 20)
        let model = try ShardModel(configuration)
        let plan = try #require(model.memory)
        let runtime = try LayerRuntime(configuration, model: model)
        runtime.begin(activations: .f32)
        var sampling = Wire.Sampling()
        sampling.temperature = 0
        let tokens = (0..<MemoryDemands.stepRows).map { UInt32($0 % 96) }
        let run = SequenceRun(
            sequenceID: 1, position: 0, tokens: tokens, sampling: sampling, promptCount: UInt32(tokens.count))
        guard case .result = try runtime.apply(Step(epoch: 1, stepID: 1, runs: [run]), payload: []) else {
            Issue.record("no result")
            return
        }
        #expect(runtime.workingBytesPeak > 0)
        #expect(runtime.workingBytesPeak <= plan.workingBytesMax)
    }

    @Test func theWindowOfAModelFollowsTheLimit() throws {
        let directory = try RandomModel()
        func window(_ limit: Int) throws -> Int {
            let configuration = ShardConfiguration(
                name: "shard", modelDirectory: directory.path, threads: 1, memoryBytesMax: limit)
            return try ShardModel(configuration).store.windowLayers
        }
        #expect(try window(1 << 30) == 4)
        #expect(throws: ShardSetupError.self) { try window(32 << 20) }
    }
}

@Suite struct MemoryInformationTests {
    /// A tree of files as the kernel shows control groups.
    private func mount(_ files: [String: String]) throws -> URL {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("ring-\(UUID().uuidString)")
        for (path, contents) in files {
            let file = root.appendingPathComponent(path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(contents.utf8).write(to: file)
        }
        return root
    }

    @Test func theNarrowestGroupOfVersion2Counts() throws {
        let root = try mount([
            "a/memory.max": "1000\n", "a/memory.current": "700\n",
            "a/memory.stat": "anon 500\ninactive_file 100\nactive_file 50\n",
            "a/b/memory.max": "max\n", "a/b/memory.current": "650\n",
            "a/b/c/memory.max": "5000\n", "a/b/c/memory.current": "600\n",
        ])
        defer { try? FileManager.default.removeItem(at: root) }
        #expect(MemoryInformation.controlGroupBytes(mount: root.path, membership: "0::/a/b/c\n") == 450)
        #expect(MemoryInformation.controlGroupBytes(mount: root.path, membership: "0::/a/b\n") == 450)
        #expect(MemoryInformation.controlGroupBytes(mount: root.path, membership: "0::/\n") == nil)
    }

    /// In a container the path is that of the host, and the group's files are at the root.
    @Test func version1AndContainers() throws {
        let root = try mount([
            "memory/memory.limit_in_bytes": "4000\n", "memory/memory.usage_in_bytes": "3000\n",
            "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 300\ntotal_active_file 200\n",
        ])
        defer { try? FileManager.default.removeItem(at: root) }
        let membership = "11:memory:/docker/0123\n4:cpu,cpuacct:/docker/0123\n0::/docker/0123\n"
        #expect(MemoryInformation.controlGroupBytes(mount: root.path, membership: membership) == 1500)
        #expect(MemoryInformation.controlGroupBytes(mount: "/nonexistent", membership: membership) == nil)
    }

    @Test func thisProcessHasMemory() {
        #expect(MemoryInformation.residentBytes() > 1 << 20)
        #expect(MemoryInformation.availableBytes() > 1 << 20)
    }
}
