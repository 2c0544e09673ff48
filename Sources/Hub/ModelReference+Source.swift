// From what `-m` says to a model that can be opened.

public import Logging
public import Weights

extension ModelReference {
    /// The model that is meant. Nothing is read or fetched yet.
    /// - Parameter isInterrupted: asked often while something is downloaded; an error ends that soon after it is true.
    /// - Throws: when the environment says something about the hub that cannot be.
    public func source(
        logger: Logger, isInterrupted: @escaping @Sendable () -> Bool
    ) throws(HubError) -> any ModelSource {
        switch self {
        case .path(let path): ModelDirectorySource(path)
        case .hub(let id): HubModel(id, settings: try HubSettings(), logger: logger, isInterrupted: isInterrupted)
        }
    }
}
