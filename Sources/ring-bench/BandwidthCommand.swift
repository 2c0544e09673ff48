// The row of limits: memory, arithmetic, disk.

import ArgumentParser

struct BandwidthCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "bandwidth", abstract: "What this machine reads and computes: the limits of the other rows.")

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("Threads.", valueName: "count"))
    var threads: [Int] = [1, 2]

    func measure(into report: BenchReport) async throws {
        let memory = try MemoryBandwidth()
        for count in threads {
            let readings = (0..<options.rounds).map { _ in memory.bytesPerSecond(threads: count) / 1e9 }
            report.add(BenchRow(name: "memory read, \(count.threads)", unit: "GB/s", ours: Samples(readings)))
        }
        for count in threads {
            let rates = (0..<options.rounds).map { _ in MatrixRate.floatOperationsPerSecond(threads: count) / 1e9 }
            report.add(BenchRow(name: "OpenBLAS sgemm, \(count.threads)", unit: "GFLOP/s", ours: Samples(rates)))
        }
        let file = options.models + "/bf16/model.safetensors"
        for depth in [1, 4] {
            let rates = try (0..<options.rounds).map { _ in
                try DiskRate.bytesPerSecond(of: file, depth: depth) / 1e9
            }
            report.add(BenchRow(name: "disk read, O_DIRECT, \(depth) at a time", unit: "GB/s", ours: Samples(rates)))
        }
    }
}

extension Int {
    /// "1 thread", "2 threads".
    var threads: String { self == 1 ? "1 thread" : "\(self) threads" }
}
