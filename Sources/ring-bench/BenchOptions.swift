// Flags that every paired measurement takes.

import ArgumentParser
import FoundationEssentials

struct BenchOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Generated models, as `make bench` leaves them.", valueName: "dir"))
    var models = ".bench/models"

    @Option(
        help: ArgumentHelp("Python that has the peers; without one, ours is measured alone.", valueName: "program"))
    var python: String?

    @Option(help: ArgumentHelp("Times that ours and the peer alternate.", valueName: "count"))
    var rounds = 3

    @Option(help: ArgumentHelp("Also write the rows to this file, as JSON.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("What is measured, for the report.", valueName: "name"))
    var commit: String?

    /// Where ring-bench finds its Python script, from the repository's root.
    static let peerScript = "tools/bench/peer.py"

    func validate() throws {
        guard 1...1000 ~= rounds else { throw ValidationError("--rounds takes 1 to 1000") }
    }

    func startPeer() throws -> PeerProcess? {
        try python.map { try PeerProcess(python: $0, script: Self.peerScript) }
    }
}

/// A job of the table: measures its rows one by one.
protocol BenchJob: AsyncParsableCommand {
    var options: BenchOptions { get }
    func measure(into report: BenchReport) async throws
}

extension BenchJob {
    func run() async throws {
        let report = BenchReport(commit: options.commit)
        try await measure(into: report)
        print(report.summary)
        if let json = options.json { try report.write(to: json) }
        if !report.failures.isEmpty { throw ExitCode.failure }
    }
}

/// How a generated model is stored, with the peer's file of the same weights.
enum BenchFormat: String, CaseIterable, ExpressibleByArgument {
    case fourBits = "4"
    case eightBits = "8"
    case bfloat16 = "bf16"

    var name: String {
        switch self {
        case .fourBits: "4-bit"
        case .eightBits: "8-bit"
        case .bfloat16: "bf16"
        }
    }

    var directory: String {
        switch self {
        case .fourBits: "4bit"
        case .eightBits: "8bit"
        case .bfloat16: "bf16"
        }
    }

    var peerFile: String {
        switch self {
        case .fourBits: "q4_0.gguf"
        case .eightBits: "q8_0.gguf"
        case .bfloat16: "bf16.gguf"
        }
    }

    var peerName: String {
        switch self {
        case .fourBits: "llama.cpp Q4_0"
        case .eightBits: "llama.cpp Q8_0"
        case .bfloat16: "llama.cpp BF16"
        }
    }
}

extension BenchOptions {
    /// The flags that give these options again.
    var arguments: [String] {
        let given = [("--models", models), ("--python", python), ("--rounds", "\(rounds)"), ("--commit", commit)]
        return given.flatMap { flag, value in value.map { [flag, $0] } ?? [] }
    }
}
