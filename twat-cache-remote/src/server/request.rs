use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Script, ServerErrorKind, Value, aio};

/// What a server is asked.
pub(crate) enum Request {
    Command(Cmd),
    /// It runs this script.
    Script(Cmd, &'static Script),
    /// One of its commands runs this script. Without a script, the answer contains the errors of single commands.
    Pipeline(Pipeline, Option<&'static Script>),
}

impl Request {
    fn script(&self) -> Option<&'static Script> {
        match self {
            Self::Command(_) => None,
            Self::Script(_, script) => Some(script),
            Self::Pipeline(_, script) => *script,
        }
    }

    pub(super) fn ask(&self, connection: &mut dyn redis::ConnectionLike) -> RedisResult<Value> {
        let ask = |connection: &mut dyn redis::ConnectionLike| match self {
            Self::Command(command) | Self::Script(command, _) => command.query(connection),
            Self::Pipeline(pipeline, _) => pipeline.query(connection).and_then(|answer| self.check(answer)),
        };
        match (ask(connection), self.script()) {
            (Err(error), Some(script)) if is_unknown(&error) => {
                script.load(connection)?;
                ask(connection)
            }
            (answer, _) => answer,
        }
    }

    pub(super) async fn ask_async(&self, connection: &mut impl aio::ConnectionLike) -> RedisResult<Value> {
        let answer = self.send(connection).await;
        match (answer, self.script()) {
            (Err(error), Some(script)) if is_unknown(&error) => {
                script.load_async(connection).await?;
                self.send(connection).await
            }
            (answer, _) => answer,
        }
    }

    /// Without a second step if the server does not have the script.
    pub(super) async fn send(&self, connection: &mut impl aio::ConnectionLike) -> RedisResult<Value> {
        match self {
            Self::Command(command) | Self::Script(command, _) => command.query_async(connection).await,
            Self::Pipeline(pipeline, _) => self.check(pipeline.query_async(connection).await?),
        }
    }

    fn check(&self, answer: Value) -> RedisResult<Value> {
        if self.script().is_some() {
            return answer.extract_error();
        }
        // If another node has one name, it has them all.
        if let Value::Array(parts) = &answer
            && let Some(Value::ServerError(error)) = parts.first()
        {
            let error = RedisError::from(error.clone());
            if error.is_cluster_error() {
                return Err(error);
            }
        }
        Ok(answer)
    }
}

/// The server does not have the script.
pub(super) fn is_unknown(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
