// swift-tools-version: 6.1
import PackageDescription

// Targets are listed bottom up; each imports only targets above it in this list. `make lint` checks the edges.
let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], fixtures: Bool = false) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: [.byName(name: name)] + dependencies,
        exclude: fixtures ? ["Fixtures"] : [], swiftSettings: swiftSettings)
}

let package = Package(
    name: "ring",
    products: [
        .executable(name: "ring-shard", targets: ["ring-shard"]),
        .executable(name: "ring-api", targets: ["ring-api"]),
        .executable(name: "ring-bench", targets: ["ring-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
        .systemLibrary(name: "CLinux"),
        // Its pkg-config file asks for a define that SwiftPM warns about; the module map links what is needed.
        .systemLibrary(name: "CAvahi", providers: [.apt(["libavahi-client-dev"])]),
        .target(name: "CRingProto", dependencies: ["CProtobufC"]),
        .target(
            name: "CKernels",
            // A debug build passes -O0 to C, which makes these loops some fifty times slower.
            cSettings: [.unsafeFlags(["-O3"], .when(configuration: .debug))],
            linkerSettings: [.linkedLibrary("m")]),
        .target(name: "CBench", cSettings: [.unsafeFlags(["-O3"], .when(configuration: .debug))]),

        module("Observability", [logging, lifecycle, signals]),

        // Values
        module("Wire", ["CProtobufC", "CRingProto", "CXXHash"]),
        module("Tensors", ["CKernels", "COpenBLAS"]),

        // Plumbing
        module("RingTransport", ["CLinux", "Wire", logging]),
        module("Weights", ["CKernels", "CLinux", "CXXHash"]),
        module("Sampling", ["CKernels"]),
        module("Discovery", ["CAvahi", logging]),

        // Domain
        module("Text", ["CPCRE2"]),
        module("Cluster", ["Wire"]),
        module("Models", ["Tensors", "Weights"]),

        // Services
        module(
            "RingAPI",
            [
                "Wire", "RingTransport", "Discovery", "Cluster", "Text", "Weights", "Observability", logging, lifecycle,
                hummingbird,
                nio, nioPosix,
            ]),
        module(
            "RingShard",
            ["Wire", "RingTransport", "Discovery", "Tensors", "Weights", "Models", "Sampling", logging, lifecycle]),

        // Programs
        .executableTarget(
            name: "ring-api",
            dependencies: ["RingAPI", "RingTransport", "Weights", "Wire", "Observability", arguments, logging],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "ring-shard",
            dependencies: ["RingShard", "RingTransport", "Tensors", "Observability", arguments, logging],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "ring-bench",
            dependencies: [
                "CBench", "COpenBLAS", "RingAPI", "Cluster", "RingTransport", "Text", "Models", "Tensors", "Weights",
                "Wire", "Observability", arguments, logging,
            ],
            swiftSettings: swiftSettings),

        tests("CKernels"),
        tests("Wire", ["CProtobufC", "CRingProto"]),
        tests("Tensors"),
        tests("RingTransport", ["Wire", logging]),
        tests("Weights"),
        tests("Sampling"),
        tests("Discovery"),
        tests("Text", fixtures: true),
        tests("Models", ["Tensors", "Weights"], fixtures: true),
        tests("RingShard", ["Wire", "Models", "Tensors", "Weights", "Sampling"]),
        tests("Cluster", ["Wire"]),
        .testTarget(name: "RingBenchTests", dependencies: ["ring-bench"], swiftSettings: swiftSettings),
        tests("RingAPI", ["Wire", "RingTransport", "Discovery", "Cluster", "Text", logging, lifecycle]),
    ]
)
