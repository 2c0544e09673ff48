// Where a model comes from: a directory, or a place that it is fetched from as far as it is needed.

internal import Glibc

/// A model that can be opened. Opening may take long where files have to be fetched first.
public protocol ModelSource: Sendable {
    /// What people call the model: a directory's name, or an id with its organization.
    var name: String { get }
    /// As it was given.
    var place: String { get }

    /// A directory with config.json and, where the model has them, generation_config.json and the files of its
    /// tokenizer.
    /// - Throws: a sentence that says what is missing and what to do.
    func textDirectory() throws -> String

    /// The model, opened.
    /// - Parameter tensors: those whose data will be read, chosen from the model as its configuration and headers
    ///   describe it. They are all on this machine when the call returns, and so is what the fingerprint samples.
    /// - Throws: what `tensors` throws, or a sentence that says what is missing and what to do.
    func checkpoint(needing tensors: (Checkpoint) throws -> [TensorEntry]) throws -> Checkpoint
}

extension ModelSource {
    /// The model without the data of any tensor, but for what the fingerprint samples.
    public func checkpoint() throws -> Checkpoint { try checkpoint { _ in [] } }
}

/// A model directory, or a GGUF file, on this machine.
public struct ModelDirectorySource: ModelSource {
    public let place: String

    public init(_ path: String) { place = path }

    /// Of a GGUF file the name without its suffix, and without the number of its part.
    public var name: String {
        let suffix = ".gguf"
        guard component.hasSuffix(suffix) else { return component }
        return String(component.dropLast(suffix.count).replacing(#/-\d{5}-of-\d{5}$/#, with: ""))
    }

    private var component: String {
        let last = place.split(separator: "/").last.map(String.init)
        if let last, last != ".", last != ".." { return last }
        guard let path = realpath(place, nil) else { return place }
        defer { free(path) }
        return String(cString: path).split(separator: "/").last.map(String.init) ?? place
    }

    public func textDirectory() -> String { place }

    public func checkpoint(needing tensors: (Checkpoint) throws -> [TensorEntry]) throws -> Checkpoint {
        try Checkpoint(directory: place)
    }
}
